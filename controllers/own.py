"""Own: a controller whose formula and adjoint are a pair of Taichi functions of the user's, inside the rollout kernel.

README.md beside this file has an example of 30 lines.
"""

from typing import Any

from engine import parts

from .controller import Controller, whole


class Own(Controller):
    """Base of controllers with kernel code of their own. A subclass gives two functions and, if it likes, a NumPy twin:

        act(m, d, c, w, t, p, i0, o)                        @ti.func; control i to c.scratch[o + i], i < nu
        act_vjp(m, d, c, g, w, t, p, i0, o, pb, qb, b)      @ti.func; its adjoint (below)
        _control(t, time, qpos, qvel)                       the same outside the kernel, (..., nu)

    with `act = staticmethod(...)`. The arguments must have these names. m: model, d: state, c: controller, g: adjoints;
    w: world; t: control step. Read qpos of entry k as d.qpos[w * m.nq + k], likewise d.qvel (NV), d.act (NA),
    d.time[w]; parameter k as c.params[p + k]; integer k (`ints`) as c.ints[i0 + k]; the rest of scratch, `scratch`
    values, is behind the controls. The sizes NQ, NV, NA, NU come from engine.schema.

    The adjoint finds that of control i at g.scratch_bar[b + i] (and, behind it, `scratch` values to use freely), and
    adds to: parameter k, g.params_bar[pb + k]; entry k of qpos in its own coordinates, g.scratch_bar[qb + k]; velocity,
    g.qvel_bar[w * m.nv + k]; activation, g.act_bar[w * m.na + k]. Always as `x[i] = x[i] + y`, never `+=`,
    which is atomic. Sensors are not there: they are computed after the control.

    The first rollout with a new pair compiles the rollout kernel again (10 s to a minute, announced; kept on disk), the
    first gradient the reverse kernel. One pair at a time can be in a rollout. Whether the adjoint is right is for
    `engine.gradcheck` to say: run it.
    """

    act = act_vjp = None
    scratch = 0

    def __init__(self, nu: Any, shapes: Any, config: Any = None, ints: Any = ()) -> None:
        name = type(self).__name__
        for which in ("act", "act_vjp"):
            f = getattr(type(self), which)
            if not getattr(f, "_is_taichi_function", False):
                raise ValueError(f"{name}: {which}: got {f!r}, allowed: a function decorated with @ti.func")
        self._ints = [whole(f"{name}: ints", i, 0) for i in ints]
        super().__init__(config or {}, shapes, whole(f"{name}: nu", nu))

    def _parts(self, tape):
        pair = (type(self).act, type(self).act_vjp)
        return [parts.Part(parts.OWN, parts.TO_CTRL, self.nparam, self._ints, scratch=self.nu + self.scratch, own=pair)]

    def _control(self, t, time, qpos, qvel):
        raise NotImplementedError(f"{type(self).__name__} has no NumPy twin: give it _control(t, time, qpos, qvel)")
