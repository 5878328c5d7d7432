"""Frames that MuJoCo takes for one another: where its compiler finds two of them less than 1e-6 apart, all that it
computes has the one in place of the other (`body_sameframe`, `geom_sameframe`, `site_sameframe`)."""

import numpy as np

# whether place and orientation are those of another frame, by the number of mjtSameFrame: the body's, or its inertia's
_NONE, BODY, INERTIA, BODY_TURN, INERTIA_TURN = range(5)
_NEAR = 1e-6  # MuJoCo's kFrameEps
_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def body_frames(mj):
    """body_ipos and body_iquat of an MjModel, as its own step has them."""
    zero, one = np.zeros((mj.nbody, 3)), np.tile(_IDENTITY, (mj.nbody, 1))
    return _taken(mj.body_sameframe, mj.body_ipos, mj.body_iquat, zero, one, zero, one)


def frames_on(mj, word):
    """The same of the places and orientations of geoms or sites (`word`)."""
    body = getattr(mj, f"{word}_bodyid")
    zero, one = np.zeros((len(body), 3)), np.tile(_IDENTITY, (len(body), 1))
    ipos, iquat = (x[body] for x in body_frames(mj))
    same, pos, quat = (getattr(mj, f"{word}_{name}") for name in ("sameframe", "pos", "quat"))
    return _taken(same, pos, quat, zero, one, ipos, iquat)


def _taken(same, pos, quat, body_pos, body_quat, inertia_pos, inertia_quat):
    """pos and quat, or what is there in their place. What was changed after compiling, by more, stays."""
    same, pos, quat = np.asarray(same), np.array(pos), np.array(quat)
    for found, other_pos, other_quat in (
        ((BODY, BODY_TURN), body_pos, body_quat), ((INERTIA, INERTIA_TURN), inertia_pos, inertia_quat),
    ):  # fmt: skip
        placed = (same == found[0]) & (np.abs(pos - other_pos) < _NEAR).all(axis=1)
        pos[placed] = other_pos[placed]
        sign = np.where((quat * other_quat).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
        turned = np.isin(same, found) & (np.abs(sign * quat - other_quat) < _NEAR).all(axis=1)
        quat[turned] = (sign * other_quat)[turned]
    return pos, quat
