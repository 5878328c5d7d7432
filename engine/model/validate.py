"""What every Model must satisfy, whoever made it: the door's last check, by name."""

import numpy as np

from .checks import check, first, refuse
from .elements import KINDS
from .elements.kind import HOLDS
from .errors import ModelError
from .fields import FIELDS, NAMED, TABLE
from .setconst import trees

# What the mass matrix at qpos0 depends on; all else about the tree follows from the first three.
_INERTIAL = (
    "body_parentid", "jnt_type", "jnt_bodyid", "body_pos", "body_quat", "body_ipos", "body_iquat", "body_mass",
    "body_inertia", "jnt_pos", "jnt_axis", "dof_armature", "tendon_armature", "tendon_num", "wrap_type",
    "wrap_objid", "wrap_prm", "site_bodyid", "site_pos",
)  # fmt: skip
MOST = 1e100  # a number whose square, times another, is none


def validate(m):
    """Raise ModelError at the first thing in Model `m` that no robot can have; return `m`."""
    _shapes(m)
    check_indices(m)
    _numbers(m)
    for kind in KINDS:
        kind.check(m)
    _regular(m)
    return m


def check_indices(m):
    """Raise ModelError at the first index, count or type of Model `m` that points nowhere or contradicts another.

    What follows from something else is derived again and compared, the rest is bounded. The kernels look up without
    asking, so an index that leaves its array would read and write foreign memory. What a Model may choose is little:
    `body_parentid`, `jnt_type`, `jnt_bodyid`, types, and what geoms, sites, actuators, sensors and pairs are attached
    to. All addresses, counts, roots and dof parents follow. Asks for arrays of the right shapes and dtypes.
    """
    for kind, size in NAMED.items():
        names = getattr(m, f"{kind}_names")
        if len(names) != getattr(m, size) or not all(isinstance(name, str) for name in names):
            raise ModelError(f"{kind}_names = {names}; allowed: a string for each of {getattr(m, size)}")
    for kind in KINDS:
        kind.check_indices(m)


def _shapes(m):
    for array, (size, entry, dtype) in FIELDS.items():
        value, want = getattr(m, array), (getattr(m, size), *entry)
        words, kinds = HOLDS[dtype]
        if not isinstance(value, np.ndarray):
            raise ModelError(f"{array} is a {type(value).__name__}; allowed: a NumPy array of shape {want}")
        if value.shape != want or value.dtype.kind not in kinds:
            raise ModelError(f"{array} has shape {value.shape} of {value.dtype}; allowed: {words} of shape {want}")


def _numbers(m):
    for array, field in TABLE.items():
        value = getattr(m, array)
        most = np.inf if array.endswith("range") else MOST
        if field.dtype is np.float64 and not (np.abs(value) < most).all():
            words = f"finite numbers, below {MOST:g}"
            if array.startswith("qpos"):  # of which no entry has a name
                raise ModelError(f"{array} = {value.tolist()}; allowed: {words}")
            refuse(m, array, first(~(np.abs(value) < most)), words)
        if field.least is not None:
            check(m, array, value < field.least, "zero or more")


def _regular(m):
    """Refuse joints that move the same bodies in the same way: nothing decides which of them moves."""
    found = tuple(part for array in _INERTIAL for part in (getattr(m, array).dtype.str, getattr(m, array).tobytes()))
    if m.regular == found:  # asked before, and nothing that the answer depends on has changed
        return
    for dofs, _, mass in trees(m) if m.nv else ():
        scale = 1 / np.sqrt(np.diag(mass))
        values, vectors = np.linalg.eigh(mass * np.outer(scale, scale))
        if values[0] < 1e-13:
            same = dofs[abs(vectors[:, 0]) > 0.1]
            names = ", ".join(dict.fromkeys(m.label("joint", m.dof_jntid[dof]) for dof in same))
            raise ModelError(
                f"mass matrix singular at qpos0: {names} do the same; allowed: independent joints or armature"
            )
    m.regular = found
