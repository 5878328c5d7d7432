"""Import of MJCF and URDF: the `mujoco` package compiles the file, this module takes the result over by name.

Nothing is approximated: what a file uses is taken over, translated exactly (and listed as changed), or refused.
"""

from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Literal, overload

import numpy as np

from engine.words import counted

from . import bounds, sleeping
from . import constants as c
from .elements import KEY, KINDS, OPTION
from .elements.mesh import meshes_of
from .elements.option import option_of
from .errors import UnsupportedError
from .model import Model
from .opening import opened, the_mujoco
from .report import ImportReport, grouped
from .tendons import is_spatial
from .urdf import left_out, mimics
from .validate import validate
from .wishes import Wishes


@overload
def load(
    source: Any, *, assets: dict[str, bytes] | None = None, report: Literal[False] = False,
    floating: bool | float = False, floor: bool | float = False, actuators: Any = None, kp: float | None = None,
    kd: float | None = None, collide: str | None = None, sense: str | Sequence[str] | None = None,
    exclude: Any = None,
) -> Model: ...  # fmt: skip


@overload
def load(
    source: Any, *, assets: dict[str, bytes] | None = None, report: Literal[True],
    floating: bool | float = False, floor: bool | float = False, actuators: Any = None, kp: float | None = None,
    kd: float | None = None, collide: str | None = None, sense: str | Sequence[str] | None = None,
    exclude: Any = None,
) -> ImportReport: ...  # fmt: skip


def load(
    source: Any, *, assets: dict[str, bytes] | None = None, report: bool = False, floating: bool | float = False,
    floor: bool | float = False, actuators: Any = None, kp: float | None = None, kd: float | None = None,
    collide: str | None = None, sense: str | Sequence[str] | None = None, exclude: Any = None,
) -> Any:  # fmt: skip
    """Model from an MJCF or URDF file (a path), from XML text, or from a compiled mujoco.MjModel.

    assets     {file name: bytes} for meshes and included files that the file or text refers to
    report     True: return the ImportReport instead, whose `model` is the Model, or None where something is refused

    What a file does not say and is added on request, with MuJoCo's own description of the robot (not to an MjModel):

    floating   True: the body that stands on the world gets a free joint; a number: its height above the origin, m
    floor      True: a plane named "floor" at the height 0; a number: its height, m
    actuators  True: one for each hinge and slide that has none, or in a word "motor" or "position" (with a kp); names
               of joints; or {joint: {"kp": .., "kd": ..}}.
               Each has its joint's name. Its force is limited by the joint's actuatorfrcrange (a URDF's effort)
    kp, kd     of those: N m/rad or N/m, N m s/rad or N s/m; without kp they are motors, whose control is the force,
               with it position servos, whose control is limited by the joint's range
    collide    None: as in the file; of what collides there, "all": every geom with every other, whatever the masks
               say, "ground": with the geoms of the world body alone (and with the floor), "none": nothing
    sense      name of a site, body or geom, or several: a framepos sensor for each that has none, which objectives need
    exclude    pairs of names of bodies that do not collide; or "overlapping": bodies drawn into each other, whose
               contact lasts wherever the joints between them are, as that of an arm's base with its shoulder may

    What the engine lacks raises UnsupportedError, which lists every such use at once, a line for each kind;
    `model.report` tells what was taken over and what was changed to open it. ValueError for arguments out of range,
    ModelError for those that the robot has no place for, for meshes that are nowhere and numbers that mean nothing.

    An MjModel is taken as it is. Where masses, inertias, armature, sizes or frames of one were changed by hand, call
    mujoco.mj_setConst(mj, mujoco.MjData(mj)) first: body_invweight0, dof_invweight0 and the like follow from them,
    and nothing here recomputes them (nor does MuJoCo's own step).
    """
    mujoco = the_mujoco()
    wishes = Wishes(floating, floor, actuators, kp, kd, collide, sense, exclude)
    file = opened(mujoco, source, assets, wishes)
    try:
        said = _imported(mujoco, file)
    except UnicodeDecodeError as error:
        raise ValueError(f"{file.title}: a name in it is not UTF-8 ({error}); allowed: a file in UTF-8") from error
    if report:
        return said
    if said.refused:
        raise UnsupportedError(said.source, said.refused)
    model, said.model = said.model, None
    return model


def _imported(mujoco, file):
    """The ImportReport of an Opened file, with its Model where nothing is refused."""
    mj, robot = file.mj, file.robot
    report = ImportReport(file.title, changed=list(file.changed))
    named = [kind for kind in KINDS if kind.named]
    names = {kind.name: kind.names(mujoco, mj) for kind in named}
    m = SimpleNamespace(**{f"{kind}_names": group for kind, group in names.items()})
    refused = _refusals(mujoco, mj, robot)
    arrays = {}
    for kind in KINDS:
        arrays |= kind.read(mujoco, mj, m)
        vars(m).update(arrays)
    option = option_of(mujoco, mj)
    refused += [line for kind in KINDS for line in kind.lacking(m)]
    refused += [*sleeping.lines(m, option), *bounds.lines(m, option)]
    report.refused = grouped(refused)
    report.changed += [line for kind in KINDS for line in kind.changed(mujoco, mj)]
    report.changed += left_out(robot, m.body_names) if robot is not None else ()
    if refused:
        return report
    for array in OPTION.switched_off(mujoco, mj):
        arrays[array] = np.zeros_like(arrays[array])
    model = Model(
        option_of(mujoco, mj), arrays, names, name=_model_name(mj), meshes=meshes_of(mj),
        keyframes=KEY.of(mujoco, mj, SimpleNamespace(**arrays)), report=report,
    )  # fmt: skip
    report.used += _used(model)
    report.model = validate(model)
    return report


def _refusals(mujoco, mj, robot):
    """What a file uses and the engine lacks; of a URDF, a joint that mimics what no joint can."""
    lines = [line for kind in KINDS for line in kind.refusals(mujoco, mj)]
    if robot is None:
        return lines
    made = {mj.joint(j).name for j in mj.eq_obj1id[mj.eq_type == mujoco.mjtEq.mjEQ_JOINT]}
    return list(mimics(robot, made)) + lines


def _model_name(mj):
    return mj.names[: mj.names.index(b"\0")].decode()


def _used(model):
    """What was taken over as it is, in a few lines."""
    joints = Counter(c.JOINT_NAMES[kind] for kind in model.jnt_type)
    kinds = f" ({', '.join(f'{n} {kind}' for kind, n in joints.items())})" if joints else ""
    spatial = int(is_spatial(model).sum()) if model.ntendon else 0
    tendons = ((model.ntendon - spatial, "fixed tendon"), (spatial, "spatial tendon"))
    others = (*tendons, (model.neq, "equality constraint"), (model.nhfield, "height field"))
    return [
        f"{counted(model.nbody - 1, 'body', 'bodies')}, {counted(model.njnt, 'joint')}{kinds}",
        f"integrator {c.INTEGRATOR_NAMES[model.opt.integrator]}, timestep {model.opt.timestep:g}, "
        f"{c.CONE_NAMES[model.opt.cone]} friction cone",
        f"{counted(model.nu, 'actuator')}, {counted(model.nsensor, 'sensor')}, "
        f"{counted(len(model.key_names), 'keyframe')}",
        f"{counted(model.ngeom, 'geom')} in {counted(model.npair, 'pair')} that may touch",
        *(counted(number, word) for number, word in others if number),
    ]
