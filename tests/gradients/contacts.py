"""Models of one pair of geoms on every kind of joint, and starts from which their contact is made, kept or broken."""

import mujoco
import numpy as np

from tests import zoo

STEPS = 20
INTEGRATORS = {"Euler": 0, "RK4": 1, "implicitfast": 3}
# joints of the upper body, and the dof that moves it towards the lower one
JOINTS = {
    "free": ('<joint type="free"/>', 2),
    "ball": ('<joint type="ball" pos=".35 .05 .1" damping=".02"/>', 1),
    "slide": ('<joint type="slide" axis=".2 .1 1" damping=".5"/>', 0),
    "hinge": ('<joint axis=".1 1 .2" pos=".35 .05 .1" damping=".02"/>', 0),
    "several": (
        '<joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 0 1" damping=".3"/><joint axis="0 1 .1"/>', 1,
    ),
    "slides and ball": (
        '<joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/><joint type="slide" axis="0 0 1"/>'
        '<joint type="ball"/>', 2,
    ),
}  # fmt: skip


def model(joint, kinds, cone, condim):
    """The upper body on `joint`, the lower one a tilted plane of the world or a body on a spring."""
    attributes = f'condim="{condim}" friction=".7 {".05 .02" if condim > 3 else ".005 .0001"}"'
    upper = f'<geom name="g2" {zoo.SHAPES[kinds[1]]} {attributes} mass="1.2" euler="15 65 10"/>'
    lower = f'<geom name="g1" {zoo.SHAPES[kinds[0]]} {attributes} '
    if kinds[0] == "plane":
        lower += 'euler="4 -6 0"/>'
    else:
        spring = '<joint type="slide" axis="0 .1 1" stiffness="3000" damping="60" springref=".011"/>'  # bears both
        lower = f'<body>{spring}{lower} mass="2"/></body>'
    extra = '<geom type="sphere" size=".02" pos=".04 .06 .05" mass=".2" contype="0" conaffinity="0"/>'
    body = f'<body pos="0 0 .3">{JOINTS[joint][0]}{upper}{extra}</body>'
    default = zoo.ROCK if "mesh" in kinds else ""
    return zoo.model(lower + body, default=default, option=f'cone="{cone}"')


def distance(mj, data, qpos):
    data.qpos[:] = qpos
    mujoco.mj_fwdPosition(mj, data)
    return mujoco.mj_geomDistance(mj, data, 0, 1, 2.0, None)


def placed(mj, data, joint, rng, target):
    """A random posture with the geoms `target` apart, and how the distance changes with the joint's dof; or None."""
    first = 0 if mj.nbody == 2 else 1  # the lower body's slide comes first
    dof = np.zeros(mj.nv)
    dof[first + JOINTS[joint][1]] = 1
    base = mj.qpos0.copy()
    turned = 0.3 * rng.normal(size=mj.nv) * (1 - dof)
    turned[:first] *= 0.01
    mujoco.mj_integratePos(mj, base, turned, 1.0)

    def at(s):
        qpos = base.copy()
        mujoco.mj_integratePos(mj, qpos, dof, s)
        return qpos

    grid = np.linspace(-0.9, 0.9, 61)
    values = np.array([distance(mj, data, at(s)) - target for s in grid])
    crossings = np.flatnonzero((values[:-1] > 0) != (values[1:] > 0))
    if not crossings.size:
        return None
    last = crossings[-1]  # from above
    lo, hi = grid[last], grid[last + 1]
    sign = np.sign(values[last + 1])
    for _ in range(40):
        mid = 0.5 * (lo + hi)
        lo, hi = (lo, mid) if sign * (distance(mj, data, at(mid)) - target) > 0 else (mid, hi)
    return at(hi), sign * dof


# event -> distance at the start, range of the velocity at which the distance grows
EVENTS = {"made": (0.002, -0.8), "kept": (-0.002, 0.0), "broken": (-0.0005, 0.8)}


def happened(sim, state, steps):
    """What becomes of the contact, by the numbers of contacts before every step."""
    sim.reset(state[0], state[1])
    sim.forward()
    count = [int(sim.data.ncon[0])]
    for _ in range(steps):
        sim.step()
        sim.forward()
        count.append(int(sim.data.ncon[0]))
    touching = np.array(count) > 0
    if touching.all():
        return "kept"
    if not touching[0] and touching.any():
        return "made"
    return "broken" if touching[0] and not touching[-1] else "none"


def starts(mj, sim, joint, event, seed, steps=STEPS, tries=300):
    """Start states from which the event happens within `steps` steps."""
    data, rng = mujoco.MjData(mj), np.random.default_rng(seed)
    gap, speed = EVENTS[event]
    for _ in range(tries):
        found = placed(mj, data, joint, rng, gap)
        if found is None:
            continue
        qpos, away = found
        qvel = 0.3 * rng.normal(size=mj.nv) * (event != "kept") + speed * away * rng.uniform(0.5, 1.5)
        qvel += 0.02 * rng.normal(size=mj.nv)
        state = qpos, qvel, np.zeros(0), np.zeros((steps, 0))
        if happened(sim, state, steps) == event:
            yield state


def slip_and_spin(mj, sim):
    """Largest sliding velocity and largest relative angular velocity over the simulator's present contacts."""
    data = mujoco.MjData(mj)
    data.qpos[:], data.qvel[:] = sim.data.qpos[0], sim.data.qvel[0]
    mujoco.mj_forward(mj, data)
    slip, spin = 0.0, 0.0
    for k in range(data.ncon):
        contact, jac = data.contact[k], np.zeros((2, 2, 3, mj.nv))
        for i, geom in enumerate((contact.geom1, contact.geom2)):
            mujoco.mj_jac(mj, data, jac[i, 0], jac[i, 1], contact.pos, mj.geom_bodyid[geom])
        linear, angular = (jac[1] - jac[0]) @ data.qvel
        slip = max(slip, float(np.linalg.norm(contact.frame.reshape(3, 3)[1:] @ linear)))
        spin = max(spin, float(np.linalg.norm(angular)))
    return slip, spin
