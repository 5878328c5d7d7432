"""Element types of the kernels, in the precision that `engine.init` chose. Importing this starts the engine."""

import taichi as ti

from engine.compiler.backend import settings

real = settings().real
vec3 = ti.types.vector(3, real)
vec4 = ti.types.vector(4, real)
mat3 = ti.types.matrix(3, 3, real)

BITS = 64 if settings().precision == "f64" else 32

# The smallest length that is normalised, as in MuJoCo (mjMINVAL), and relative rounding.
MINVAL = 1e-15
EPS = 2.3e-16 if settings().precision == "f64" else 1.2e-7
# Beyond this a sum of squares has overflowed, or is about to.
HUGE = 1e300 if settings().precision == "f64" else 1e37
