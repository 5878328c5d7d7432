"""Height fields against MuJoCo: contacts one to one and in their order, steps, rays, and what bounds them."""

import mujoco
import numpy as np
import pytest

from engine.arrays import pair_contacts
from engine.model.pairs import MOST_OF_FIELD
from tests import zoo
from tests.physics.reference import contact_errors, copy_state, matched_contacts, poison, relative, set_reference
from tests.physics.test_convex import FINE
from tests.physics.test_parity import touching_states

CORNERS = ("box", "mesh")


def field(kinds, attributes="", option=FINE):
    return zoo.touching(*kinds, attributes, option)


def compared(mj, sim, states):
    """Largest errors of the contacts, in their order, and how many states have others than MuJoCo."""
    data, found, other = mujoco.MjData(mj), {}, 0
    for state in states:
        set_reference(mj, data, state)
        copy_state(sim, data)
        poison(sim)
        sim.forward()
        errors = contact_errors(sim.data, data)
        assert errors.pop("ncon") == 0
        normals = matched_contacts(sim.data.contacts(), data.contact)["normal"] if errors else 0.0
        if errors.get("dist", 0.0) > 1e-7 or normals > 1e-4:
            other += 1
            continue
        errors |= {"qacc": relative(sim.data.qacc[0], data.qacc), "normal": normals}
        for name, error in errors.items():
            found[name] = max(found.get(name, 0.0), error)
    print({k: float(f"{v:.1e}") for k, v in found.items()}, other)
    return found, other


@pytest.mark.parametrize("attributes", ("", 'margin=".03" gap=".02"'), ids=("", "margin"))
@pytest.mark.parametrize("kinds", zoo.FIELDS, ids="-".join)
def test_contacts(simulators, kinds, attributes):
    """As MuJoCo has them, on a field that moves. Where a box or a mesh overlaps, MuJoCo's search ends at a face along
    whose edge two corners may lie equally far, and which of them is met rounding decides."""
    mj, sim = simulators(field(kinds, attributes))
    found, other = compared(mj, sim, touching_states(mj, 60))
    assert other <= 15 * (kinds[1] in CORNERS and not attributes)
    assert found["dist"] < 1e-7 and found["pos"] < 1e-5 and found["normal"] < 1e-4 and found["qacc"] < 1e-3


def landscape(size="1.5 1 .3 .2", points=(24, 31), geoms="", seed=0, pose=""):
    rng = np.random.default_rng(seed)
    heights = " ".join(f"{x:.6g}" for x in rng.random(points).ravel())
    bodies = "".join(f"<body pos='{x} {y} .5'><freejoint/><geom {g} mass='1'/></body>" for x, y, g in geoms)
    return f"""<mujoco><option timestep=".004" cone="elliptic" {FINE}/><asset>{zoo.ROCK[7:-8]}
    <hfield name="hills" nrow="{points[0]}" ncol="{points[1]}" size="{size}" elevation="{heights}"/></asset>
    <worldbody><geom name="ground" type="hfield" hfield="hills" {pose}/>{bodies}</worldbody></mujoco>"""


def test_no_more_than_mujoco_keeps(simulators):
    """A plate over many cells: the first fifty, in the order of the rows."""
    mj, sim = simulators(landscape(geoms=[(0, 0, 'type="ellipsoid" size=".5 .4 .2"')]))
    data = mujoco.MjData(mj)
    data.qpos[2] = 0.2
    mujoco.mj_forward(mj, data)
    assert data.ncon == MOST_OF_FIELD == pair_contacts(sim.model)[0]
    sim.reset(data.qpos)
    sim.forward()
    errors = contact_errors(sim.data, data)
    assert errors["ncon"] == 0 and errors["dist"] < 1e-7 and errors["pos"] < 1e-5


def test_steps(simulators):
    """What rolls and slides down hills, step by step from MuJoCo's states."""
    shapes = ('type="sphere" size=".09"', 'type="capsule" size=".05 .08"', 'type="cylinder" size=".08 .06"',
              'type="ellipsoid" size=".1 .07 .08"')  # fmt: skip
    geoms = [(0.5 * k - 0.7, 0.1 * k, shape) for k, shape in enumerate(shapes)]
    mj, sim = simulators(landscape(points=(8, 11), geoms=geoms, pose='euler="4 -3 10" pos=".1 0 -.1"'))
    data, touched = mujoco.MjData(mj), 0
    for _ in range(400):
        sim.reset(data.qpos, data.qvel)
        sim.data.qacc_warmstart[0] = data.qacc_warmstart
        mujoco.mj_step(mj, data)
        sim.step()
        touched += data.ncon > 2
        assert np.abs(sim.data.qpos[0] - data.qpos).max() < 1e-6
        assert np.abs(sim.data.qvel[0] - data.qvel).max() < 1e-4
    assert touched > 200


DEEP = {
    "rounding hides the face that is as far as the depth": (
        "5 3", ".6314 .5067 .2 .2",
        ".4772 .6965 .4124 .3331 .735 .4823 .1942 .6747 .6692 .729 .08334 .4729 .9965 .3181 .0638",
        'pos="-.1183 .03 -.1" euler="6 -4 17"',
        'type="capsule" size=".10663" fromto="-.37626543 .176341516 -.156886121 -.44578158 .104584556 -.111979785"',
        (-0.11830000000000047, 0.03000000000000059, -0.10000000000000067,
         0.9873287691051381, 0.04657815494351576, -0.04219988713529812, 0.14571048934499836),
    ),
    "the first polytope has a hollow": (
        "3 3", ".5 .4 .3 .2", "0 1 .1442 .9486 .3118 .4233 .8277 .4092 .5496", "", 'type="capsule" size=".08 .12"',
        (-0.5, -0.2, -0.05, -0.36439874932140814, -0.2789892845731388, 0.6710768042104024, -0.5822666514897749),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DEEP)
def test_deep_in_a_prism(simulators, case):
    """States in which a search once ended at a face within what overlaps."""
    points, size, heights, pose, geom, qpos = DEEP[case]
    rows, columns = points.split()
    mj, sim = simulators(f'''<mujoco><option {FINE}/><asset><hfield name="h" nrow="{rows}" ncol="{columns}"
    size="{size}" elevation="{heights}"/></asset><worldbody><geom type="hfield" hfield="h" margin=".02" {pose}/>
    <body><freejoint/><geom {geom}/></body></worldbody></mujoco>''')
    data = mujoco.MjData(mj)
    data.qpos[:] = qpos
    mujoco.mj_forward(mj, data)
    sim.reset(qpos)
    sim.forward()
    errors = contact_errors(sim.data, data)
    assert errors["ncon"] == 0 and errors["dist"] < 1e-9 and errors["pos"] < 1e-8


def test_room_for_all_contacts(simulators):
    """The bound that the buffers have, of cells under a ball around the shape, is one."""
    for kinds in zoo.FIELDS:
        mj, sim = simulators(field(kinds))
        data, most = mujoco.MjData(mj), 0
        for state in touching_states(mj, 60):
            data.qpos[:] = state[0]
            mujoco.mj_fwdPosition(mj, data)
            most = max(most, data.ncon)
        assert 0 < most <= pair_contacts(sim.model)[0] <= MOST_OF_FIELD


def looking(seed=0):
    """Sites that look at a tilted field from all around and from within."""
    rng, sites, sensors = np.random.default_rng(seed), "", ""
    for k in range(60):
        z = rng.normal(size=3)
        place = rng.uniform([-0.6, -0.7, -0.25], [0.6, 0.7, 0.3])
        sites += f'<site name="s{k}" pos="{" ".join(map(str, place))}" zaxis="{" ".join(map(str, z))}"/>'
        sensors += f'<rangefinder site="s{k}" data="dist normal"/>'
    field = f'<body name="field"><freejoint/><geom {zoo.SHAPES["hfield"]} mass="1" contype="0"/></body>'
    head = f'<body name="head"><freejoint/>{sites}<geom size=".02" mass=".3" rgba="0 0 0 0" contype="0"/></body>'
    return zoo.model(field + head, f"<sensor>{sensors}</sensor>", default=zoo.HILLS)


def test_rays(simulators):
    mj, sim = simulators(looking())
    data, met = mujoco.MjData(mj), set()
    for seed in range(20):
        qpos, qvel, _, _ = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.1)
        data.qpos[:], data.qvel[:] = qpos, qvel
        mujoco.mj_forward(mj, data)
        sim.reset(qpos, qvel)
        sim.forward()
        assert np.abs(sim.data.sensordata[0] - data.sensordata).max() < 1e-9
        met |= {bool(x) for x in data.sensordata[::4] > 0}
    assert met == {True, False}


def test_rays_along_lines_of_the_grid(simulators):
    """Straight down on corners and edges: no ray goes through between two triangles."""
    grid = [(0.4 / 3 * i - 0.4, 0.125 * k - 0.5) for i in range(1, 6) for k in range(1, 8)]
    sites = "".join(f'<site name="s{n}" pos="{x} {y} 1" zaxis="0 0 -1"/>' for n, (x, y) in enumerate(grid))
    sensors = "".join(f'<rangefinder site="s{n}"/>' for n in range(len(grid)))
    body = f'<geom {zoo.SHAPES["hfield"]}/><body>{sites}<joint axis="0 0 1"/><geom size=".01" contype="0"/></body>'
    mj, sim = simulators(zoo.model(body, f"<sensor>{sensors}</sensor>", default=zoo.HILLS))
    data = mujoco.MjData(mj)
    mujoco.mj_forward(mj, data)
    sim.forward()
    heights = 1 - sim.data.sensordata[0]
    assert (heights >= 0).all() and (heights <= 0.12 + 1e-9).all()
    there = data.sensordata >= 0
    assert there.sum() > 20
    assert np.abs(sim.data.sensordata[0] - data.sensordata)[there].max() < 1e-9
