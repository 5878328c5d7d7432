"""What the board of other people's robots asks (robots.py): files, tasks, targets, and how each run is measured with
the mujoco package alone."""

import functools
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

FLAT = ("--floating", "0.6", "--floor")
SMALL = ("--actuators", "--kp", "50", "--kd", "1")  # servos of a small arm


@dataclass(frozen=True)
class Cell:
    """row: of the table. file: (folder's key, path in it). site: what a reach brings to its target. options: of the
    command. judge: (mj model, qpos, qvel, ctrl, time, target, result) -> (done?, figure). loose: the command's own
    measure is another than the board's, so that they may differ. drawn: random generator -> target (3,), of a reach
    whose targets are not the places of its site in random joint positions."""

    row: str
    name: str
    task: str
    file: tuple
    judge: object
    site: str | None = None
    options: tuple = ()
    seeds: int = 1
    loose: bool = False
    drawn: object = None

    @property
    def key(self):
        return f"{self.name} {self.task}"

    def path(self, places):
        place = places.get(self.file[0])
        path = None if place is None else place / self.file[1]
        return path if path is not None and path.exists() else None


PACKAGES = {  # key: (package, folder in it); None: no package has the files
    "suite": ("dm_control", "suite"), "gym": ("gymnasium", "envs/mujoco/assets"),
    "robosuite": ("robosuite", "models/assets/robots"), "menagerie": None,
    "mjlab": ("mjlab", "asset_zoo/robots"), "mani_skill": ("mani_skill", "assets/robots"),
    "robot_data": ("example_robot_data", "robots"),
}  # fmt: skip


def folders(robots, told=()):
    """{key: folder} of where the files are; told: KEY=FOLDER of PACKAGES. Raises ValueError for another."""
    found = {"robots": Path(robots)}
    for key, inside in PACKAGES.items():
        spec = find_spec(inside[0]) if inside else None
        if spec is not None and spec.submodule_search_locations:
            found[key] = Path(spec.submodule_search_locations[0]) / inside[1]
    for word in told:
        key, _, folder = word.partition("=")
        if key not in PACKAGES or not Path(folder).is_dir():
            raise ValueError(f"--files: got {word!r}; allowed: KEY=FOLDER of {', '.join(PACKAGES)}")
        found[key] = Path(folder)
    return found


def swimmer_file(places, folder, links=6):
    """Writes the suite's swimmer of six links, of which its file has the head alone; returns `places` with its folder.

    Links, ranges and motors are those that the suite adds when it loads the file; pictures' files are left out.
    """
    if "suite" not in places or not (places["suite"] / "swimmer.xml").exists():
        return places
    root = ET.parse(places["suite"] / "swimmer.xml").getroot()
    for e in root.findall("include"):
        root.remove(e)
    for geom in root.iter("geom"):
        geom.attrib.pop("material", None)
    body, motors = root.find("./worldbody/body"), ET.SubElement(root, "actuator")
    for k in range(links - 1):
        body = ET.SubElement(body, "body", name=f"segment_{k}", pos="0 .1 0")
        for kind in ("visual", "inertial"):
            ET.SubElement(body, "geom", {"class": kind, "name": f"{kind}_{k}"})
        ET.SubElement(body, "joint", name=f"joint_{k}", range=f"{-360 / links} {360 / links}")
        ET.SubElement(motors, "motor", name=f"motor_{k}", joint=f"joint_{k}")
    (folder / "files").mkdir(exist_ok=True)
    ET.ElementTree(root).write(folder / "files" / f"swimmer{links}.xml")
    return places | {"made": folder / "files"}


@functools.cache
def _compiled(path):
    import mujoco

    return mujoco.MjModel.from_xml_path(path)


def model_of(cell, places):
    """The file as MuJoCo itself compiles it; None for one that it does not read as the command does."""
    path = cell.path(places)
    return _compiled(str(path)) if path.suffix == ".xml" else None


def target_of(cell, places, seed):
    """A reachable place of the cell's site: where it is in random joint positions within their limits, in which the
    robot does not touch itself."""
    import mujoco

    if cell.file[1].endswith(".urdf"):
        m = _compiled_urdf(str(cell.path(places)))
    else:
        m = _compiled(str(cell.path(places)))
    d, rng = mujoco.MjData(m), np.random.default_rng(1000 + seed)
    if cell.drawn is not None:
        return cell.drawn(rng)
    usual = _pairs(m, d)
    while True:
        mujoco.mj_resetData(m, d)
        for j in range(m.njnt):
            if m.jnt_type[j] in (2, 3):
                low, high = m.jnt_range[j] if m.jnt_limited[j] else (-np.pi, np.pi)
                d.qpos[m.jnt_qposadr[j]] = rng.uniform(low, high)
        mujoco.mj_forward(m, d)
        if _pairs_of(d) <= usual:
            return place_of(m, d, cell.site)


@functools.cache
def _compiled_urdf(path):
    """The MjModel of a URDF, as the engine prepares it for MuJoCo."""
    from engine.model.opening import opened, the_mujoco
    from engine.model.wishes import Wishes

    return opened(the_mujoco(), path, None, Wishes()).mj


def _pairs(m, d):
    import mujoco

    mujoco.mj_resetDataKeyframe(m, d, 0) if m.nkey else mujoco.mj_resetData(m, d)
    mujoco.mj_forward(m, d)
    return _pairs_of(d)


def _pairs_of(d):
    return {(int(c.geom1), int(c.geom2)) for c in d.contact if c.dist < 0}


def place_of(m, d, name):
    import mujoco

    for kind, where in (("SITE", d.site_xpos), ("BODY", d.xpos), ("GEOM", d.geom_xpos)):
        k = mujoco.mj_name2id(m, getattr(mujoco.mjtObj, f"mjOBJ_{kind}"), name)
        if k >= 0:
            return where[k].copy()
    raise ValueError(f"no site, body or geom {name!r}")


def states(m, qpos, qvel, rows):
    """An MjData after `mj_forward` in each of these rows."""
    import mujoco

    d = mujoco.MjData(m)
    for k in rows:
        d.qpos[:], d.qvel[:] = qpos[k], qvel[k]
        mujoco.mj_forward(m, d)
        yield d


def last(time, seconds):
    """Rows of the last `seconds`."""
    return np.flatnonzero(time >= time[-1] - seconds - 1e-9)


def reached(site, within=2e-3, seconds=2.0):
    def judge(m, qpos, qvel, ctrl, time, target, result):
        if m is None:
            return result["solved"], f"{1e3 * result['distance_to_target']:.2f} mm"
        away = [np.linalg.norm(place_of(m, d, site) - target) for d in states(m, qpos, qvel, last(time, 0.05))]
        still = np.abs(qvel[-1]).max()
        done = max(away) <= within and still < 0.05 and time[-1] <= seconds + 1e-6
        return done, f"{1e3 * away[-1]:.2f} mm, {still:.3f} /s"

    return judge


def ran(length):
    """A body's length (m) a second for the whole run, upright."""

    def judge(m, qpos, qvel, ctrl, time, target, result):
        speed = (qpos[-1, 0] - qpos[0, 0]) / time[-1]
        up = tilt(qpos).max() < 0.8 and time[-1] > 4.9
        return up and speed >= length, f"{speed:.2f} m/s of {length:g}, tilt {tilt(qpos).max():.2f}"

    return judge


def stood(m, qpos, qvel, ctrl, time, target, result):
    """Upright to the end of five seconds: trunk tilted by less than 0.8 rad, not lower than 70 % of where it began."""
    low = qpos[:, 2].min() / qpos[0, 2]
    return tilt(qpos).max() < 0.8 and low > 0.7 and time[-1] > 4.9, f"lowest {low:.2f}, tilt {tilt(qpos).max():.2f}"


def tilt(qpos):
    """rad, (rows,): of a free trunk's z axis to the vertical."""
    q = qpos[:, 3:7] / np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return np.arccos(np.clip(1 - 2 * (q[:, 1] ** 2 + q[:, 2] ** 2), -1, 1))


def paid(reward, least=0.8):
    """The mean of the suite's reward over the last second, at least `least`."""

    def judge(m, qpos, qvel, ctrl, time, target, result):
        rows = last(time, 1.0)
        u = np.concatenate([ctrl, ctrl[-1:]])
        each = zip(rows, states(m, qpos, qvel, rows), strict=True)
        mean = float(np.mean([reward(m, d, u[k], target) for k, d in each]))
        return mean > least, f"reward {mean:.2f}"

    return judge


def tolerance(x, low=0.0, high=0.0, margin=0.0, value=0.1, kind="gaussian"):
    """dm_control's `rewards.tolerance`: 1 within the bounds, falling to `value` at a distance of `margin`."""
    x = np.asarray(x, float)
    inside = (low <= x) & (x <= high)
    if margin == 0:
        return np.where(inside, 1.0, 0.0)
    d = np.where(x < low, low - x, x - high) / margin
    fall = {
        "gaussian": lambda: np.exp(-0.5 * (d * np.sqrt(-2 * np.log(value))) ** 2),
        "linear": lambda: np.maximum(1 - d * (1 - value), 0.0),
        "quadratic": lambda: np.maximum(1 - (d * np.sqrt(1 - value)) ** 2, 0.0),
        "long_tail": lambda: 1 / ((d * np.sqrt(1 / value - 1)) ** 2 + 1),
    }[kind]()
    return np.where(inside, 1.0, fall)


def body(m, d, name):
    import mujoco

    return mujoco.mj_name2id(m, mujoco.mjtObj.mjOBJ_BODY, name)


def cartpole(m, d, u, target):
    """Smooth reward of the suite's cartpole."""
    upright = (d.xmat[body(m, d, "pole_1")][8] + 1) / 2
    centered = (1 + tolerance(d.qpos[0], margin=2.0)) / 2
    small = (4 + tolerance(u, margin=1.0, value=0.0, kind="quadratic")[0]) / 5
    slow = (1 + tolerance(d.qvel[1:], margin=5.0).min()) / 2
    return upright * small * slow * centered


def acrobot(m, d, u, target):
    import mujoco

    tip, goal = (d.site_xpos[mujoco.mj_name2id(m, mujoco.mjtObj.mjOBJ_SITE, n)] for n in ("tip", "target"))
    radius = m.site_size[mujoco.mj_name2id(m, mujoco.mjtObj.mjOBJ_SITE, "target"), 0]
    return tolerance(np.linalg.norm(tip - goal), 0.0, radius, margin=1.0)


def pendulum(m, d, u, target):
    return tolerance(d.xmat[body(m, d, "pole")][8], np.cos(np.radians(8.0)), 1.0)


def reacher(m, d, u, target):
    """The easy target, of 5 cm, where the command was told to go."""
    import mujoco

    k = mujoco.mj_name2id(m, mujoco.mjtObj.mjOBJ_GEOM, "finger")
    return tolerance(np.linalg.norm((d.geom_xpos[k] - target)[:2]), 0.0, 0.05 + m.geom_size[k, 0])


def speed_of(m, d, name):
    """The suite's subtreelinvel sensor, along x."""
    import mujoco

    mujoco.mj_subtreeVel(m, d)
    return d.subtree_linvel[body(m, d, name)][0]


def walker(m, d, u, target):
    standing = tolerance(d.xpos[body(m, d, "torso")][2], 1.2, np.inf, margin=0.6)
    upright = (1 + d.xmat[body(m, d, "torso")][8]) / 2
    stand = (3 * standing + upright) / 4
    move = tolerance(speed_of(m, d, "torso"), 1.0, np.inf, margin=0.5, value=0.5, kind="linear")
    return stand * (5 * move + 1) / 6


def walker_stands(m, d, u, target):
    standing = tolerance(d.xpos[body(m, d, "torso")][2], 1.2, np.inf, margin=0.6)
    return (3 * standing + (1 + d.xmat[body(m, d, "torso")][8]) / 2) / 4


def hopper_stands(m, d, u, target):
    height = d.xipos[body(m, d, "torso")][2] - d.xipos[body(m, d, "foot")][2]
    small = (4 + tolerance(u, margin=1.0, value=0.0, kind="quadratic").mean()) / 5
    return tolerance(height, 0.6, 2.0) * small


def hopper(m, d, u, target):
    """The suite's hop, whose speed is two metres a second."""
    height = d.xipos[body(m, d, "torso")][2] - d.xipos[body(m, d, "foot")][2]
    standing = tolerance(height, 0.6, 2.0)
    return standing * tolerance(speed_of(m, d, "torso"), 2.0, np.inf, margin=1.0, value=0.5, kind="linear")


def cheetah(m, d, u, target):
    return tolerance(speed_of(m, d, "torso"), 10.0, np.inf, margin=10.0, value=0.0, kind="linear")


def manipulator(m, d, u, target):
    """The suite has no reward for reaching alone: that of a ball's distance to its target, of the hand's."""
    return tolerance(np.linalg.norm(place_of(m, d, "grasp") - target), 0.0, 0.0, margin=0.1)


def swimmer(m, d, u, target):
    import mujoco

    nose = d.geom_xpos[mujoco.mj_name2id(m, mujoco.mjtObj.mjOBJ_GEOM, "nose")]
    return tolerance(np.linalg.norm((nose - target)[:2]), 0.0, 0.1, margin=0.5, kind="long_tail")


def arm(name, file, site, options=(), seeds=10):
    return Cell("arms reach", name, "reach", file, reached(site), site, options, seeds)


def legged(name, file, length, options=()):
    return Cell("quadrupeds run", name, "run", file, ran(length), options=options)


def humanoid(name, file, options=()):
    return Cell("humanoids stand", name, "stand", file, stood, options=("--push", "0.5", *options), seeds=3)


def of_suite(name, task, reward, site=None, options=(), seeds=1):
    return Cell("suite", f"dm_{name}", task, ("suite", f"{name}.xml"), paid(reward), site, options, seeds, loose=True)


R = "robots"
CELLS = [
    arm("panda", (R, "franka_emika_panda/panda.xml"), "hand"),
    arm("ur5e", (R, "universal_robots_ur5e/ur5e.xml"), "attachment_site"),
    arm("sawyer", (R, "rethink_robotics_sawyer/sawyer.xml"), "attachment_site"),
    arm("iiwa14", ("menagerie", "kuka_iiwa_14/iiwa14.xml"), "attachment_site"),
    arm("kinova_gen3", ("menagerie", "kinova_gen3/gen3.xml"), "attachment_site"),
    arm("xarm7", ("menagerie", "ufactory_xarm7/xarm7.xml"), "link_tcp", seeds=5),
    arm("jaco", ("robosuite", "jaco/robot.xml"), "right_hand", seeds=5),
    arm("so101", (R, "so101/so101_new_calib.xml"), "gripperframe"),
    arm("so100", (R, "so100/so100.urdf"), "gripper", SMALL),
    arm("baxter", ("robosuite", "baxter/robot.xml"), "right_hand", seeds=5),
    arm("yam", ("mjlab", "i2rt_yam/xmls/yam.xml"), "grasp_site", ("--actuators", "--kp", "100", "--kd", "3"), 5),
    arm("koch", ("mani_skill", "koch/follower_arm_v1.1.urdf"), "gripper", SMALL, 5),
    arm("z1", ("robot_data", "z1_description/urdf/z1.urdf"), "link06", ("--actuators", "--kp", "300", "--kd", "10"), 5),
    legged("go1", (R, "unitree_go1/scene.xml"), 0.6),
    legged("go2", (R, "unitree_go2/go2.xml"), 0.6, ("--floor",)),  # its scene.xml has steps in the way
    legged("a1", (R, "unitree_a1/urdf/a1.urdf"), 0.6, (*FLAT, "--actuators", "--kp", "60", "--kd", "2")),
    legged("anymal_c", (R, "anymal_c/urdf/anymal_c.urdf"), 0.9, (*FLAT, "--actuators", "--kp", "120", "--kd", "4")),
    legged("gym_ant", ("gym", "ant.xml"), 1.0),
    legged("barkour_v0", ("menagerie", "google_barkour_v0/scene.xml"), 0.5),
    humanoid("g1", (R, "unitree_g1/g1_29dof.xml"), ("--floor",)),
    humanoid("h1", (R, "unitree_h1/h1.xml"), ("--floor",)),
    humanoid("t1", (R, "booster_t1/T1_locomotion.xml")),
    humanoid("op3", (R, "robotis_op3/scene.xml")),
    humanoid("mj_humanoid", (R, "humanoid/humanoid.xml")),
    of_suite("cartpole", "balance", cartpole),
    of_suite("cartpole", "swingup", cartpole),
    of_suite("acrobot", "swingup", acrobot),
    of_suite("pendulum", "swingup", pendulum),
    # the reward counts for the last second, so that it must be there by then
    of_suite("reacher", "reach", reacher, "finger", ("--seconds", "3")),
    of_suite("manipulator", "reach", manipulator, "grasp", ("--seconds", "3")),
    of_suite("walker", "stand", walker_stands),
    of_suite("walker", "run", walker, options=("--speed", "1.2")),
    of_suite("hopper", "stand", hopper_stands),
    of_suite("hopper", "run", hopper, options=("--speed", "2.2")),
    of_suite("cheetah", "run", cheetah, options=("--speed", "12")),
    Cell(
        "suite",
        "dm_swimmer",
        "reach",
        ("made", "swimmer6.xml"),
        paid(swimmer),
        "nose",
        ("--seconds", "15"),
        1,
        True,
        lambda rng: np.array([*rng.uniform(-2, 2, 2), 0.05]),
    ),  # as the suite draws it
]
