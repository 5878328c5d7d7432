"""Where the arrays of a pure call live, and the few things that are done to them besides arithmetic.

`pure.py` copies arguments into the engine's buffers and results out of them. With `Host` both are NumPy arrays. A door
to another library with arrays on a device has a class of its own with the same methods (torch.py), so that nothing
passes through the host.
"""

import numpy as np

from engine.compiler.backend import np_real
from engine.finite import require_finite


class Host:
    """NumPy arrays."""

    def view(self, a):
        """A buffer's NumPy view as an array of this space, on the same memory."""
        return a

    def empty(self, shape):
        """An array of the engine's precision, not filled."""
        return np.empty(shape, np_real())

    def zeros(self, shape):
        return np.zeros(shape, np_real())

    def copy(self, a):
        return a.copy()

    def host(self, a):
        """An array of this space as one of NumPy."""
        return a

    def ours(self, a):
        """A NumPy array as one of this space."""
        return a

    def require_finite(self, names, arrays):
        """Raise ValueError for the first entry that is not finite; an array may be None."""
        for name, a in zip(names, arrays, strict=True):
            if a is not None:
                require_finite(name, a)


HOST = Host()
