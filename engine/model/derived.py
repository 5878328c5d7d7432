"""Constants derived from the others: what each kind of element has of them."""

from .elements import KINDS


def set_const(m):
    """Recompute what depends on masses, inertias, armature, sizes and frames, in place.

    Call it after changing one of those by hand. Topology and candidate pairs stay as they are.
    """
    for kind in KINDS:
        kind.set_const(m)
