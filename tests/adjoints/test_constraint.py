"""Adjoint of the constraint forces at a given acceleration: z . (M a + bias - J^T f) and what sensors ask of f, for
limits (row, ball_limit), dry friction (frictionless), every pair of geoms (collide, contact) and parameter; and the
solver's implicit adjoint, acceleration, against forces applied to the dofs."""

import mujoco
import numpy as np
import pytest

from engine.contact import witness
from engine.theta import LEAF_NAMES
from tests import zoo
from tests.adjoints import probe as p
from tests.physics.test_multicontact import leaning_states
from tests.quick import contacts_of_pairs, some

pytestmark = pytest.mark.slow  # the kernel that takes each stage alone compiles for a minute

CONES = pytest.mark.parametrize("cone", zoo.CONES)
NAMES = ("qpos", "qvel", "qacc", "dof_frictionloss", "geom_friction", "pair_friction", "body_mass", "gravity")
OF_LIMITS = tuple(n for n in LEAF_NAMES if n.startswith("jnt"))
OF_ROWS = tuple(n for n in LEAF_NAMES if n.startswith(("dof", "tendon", "eq")))
LEAVES = tuple(n for n in LEAF_NAMES if n.startswith(("body", "geom", "pair")) and not n.endswith(("gap", "vel")))
OF_FIELDS = ("hfield_data", "hfield_size")
SHAPES = ("geom_size", "geom_pos", "geom_quat")
OF_TENDONS = ("tendon_frictionloss", "tendon_armature", "wrap_prm")


def contacts(probe, column):
    """Live view of a vector of all blocks, (ncon, 3); that of further rows is empty where no contact has any."""
    return probe.column(column)[: int(probe.column("nblock")[0])]


def asked(case):
    """Cotangents of the forces of all contacts and of their torques, by name."""
    probe, size = case.probe, int(case.probe.column("nblock")[0])
    bars = {name: 0.1 * case.rng.normal(size=(size, 3)) for name in ("con", "turn")}
    bars["con"][probe.column("con_pair")[:size] < 0] = 0
    bars["turn"] = bars["turn"][probe.column("con_dim")[:size] > 3]
    return bars


def felt(probe, bars):
    """What they give of the forces at hand."""
    dim = contacts(probe, "con_dim")
    torque = contacts(probe, "turn_force")[dim > 3] if (dim > 3).any() else np.zeros((0, 3))
    return float((bars["con"] * contacts(probe, "con_force")).sum() + (bars["turn"] * torque).sum())


def ask(probe, bars, share=1):
    dim = contacts(probe, "con_dim")
    contacts(probe, "con_fbar")[:] = share * bars["con"]
    if (dim > 3).any():
        contacts(probe, "turn_fbar")[dim > 3] = share * bars["turn"]


def solve(case):
    """The acceleration of the case's state."""
    case.set()
    case.sim.forward()
    return case.sim.data.qacc[0].copy()


def constraint(probe, state, kick=0.5, names=NAMES, side=0, direction=None, parting=False,
               **options):  # fmt: skip
    """Returns the number of blocks and of rows."""
    case = p.Case(probe, state)
    case.parting = parting
    if direction is not None:
        case.direction = lambda name: direction
    case.x["qacc"] = solve(case)
    case.x["qacc"] = case.x["qacc"] + kick * np.abs(case.x["qacc"]).max() * case.rng.normal(size=case.model.nv)
    m = case.model
    z = case.rng.normal(size=m.nv)
    case.set()
    case.run(p.TERMS)
    ncon, nrow = int(probe.column("nblock")[0]), int(probe.column("nrow")[0])
    bars_of_forces = asked(case)

    def forward():
        case.run(p.TERMS)
        total = float(z @ (probe.column("ma") + case.sim.data.qfrc_bias[0] - probe.column("qfrc_constraint")))
        if side == 0:
            if int(probe.column("nblock")[0]) != ncon:
                return np.nan  # a contact is made or broken: not within a difference
            total += felt(probe, bars_of_forces)
        return total

    probe.clear()
    probe.column("z")[:] = z
    case.run((p.MOTIONS, 0))
    if side == 0:
        ask(probe, bars_of_forces)
    case.run(p.CONSTRAINT_VJP, (p.TENDON_VJP, 0), (p.RNEA_VJP, 0))
    bars = {n: probe.bar(n) for n in names if n != "qacc"}
    if "qacc" in names:
        bars["qacc"] = slope_by_acceleration(probe, z, bars_of_forces)
    frictionless = [n for n in names if n.endswith("frictionloss") and (case.x[n] == 0).any()]
    options = {"tolerance": 1e-6, **options}
    case.compare(forward, bars, side=side, skip=frictionless, **options)
    return ncon, nrow


def slope_by_acceleration(probe, z, bars_of_forces):
    """H z - J^T K f_bar, with the Hessian that the solver factors: what acceleration_vjp inverts."""
    nv = probe.model.nv
    probe.column("a_bar")[:] = 0
    ask(probe, bars_of_forces)
    probe.run(p.ACCELERATION_VJP)  # A_BAR becomes -J^T K f_bar, the Hessian is factored
    inverse = np.empty((nv, nv))
    ask(probe, bars_of_forces, 0)
    wanted = probe.column("a_bar").copy()
    for k in range(nv):
        probe.column("a_bar")[:] = np.arange(nv) == k
        probe.run(p.ACCELERATION_VJP)
        inverse[k] = -probe.column("z")
    return np.linalg.solve(inverse, z) + wanted


@pytest.mark.parametrize("name", (*zoo.ROWS, *zoo.EQUALITIES))
def test_rows_and_ball_limits(probes, name):
    mj, probe = probes((zoo.ROWS | zoo.EQUALITIES)[name])
    found = np.zeros(2, int)
    for seed in range(4):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.5)
        leaves = [n for n in OF_LIMITS + OF_ROWS if n in probe.sim.leaves]
        found += constraint(probe, state, names=(*NAMES, *leaves) if seed < 2 else NAMES)
    assert found.any()


@pytest.mark.parametrize("name", zoo.MOCAPS)
def test_mocap_bodies(probes, name):
    """The poses of bodies that are inputs."""
    mj, probe = probes(zoo.MOCAPS[name])
    for seed in range(3):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.05)
        assert constraint(probe, state, names=(*NAMES, "mocap_pos", "mocap_quat"))[0]


@pytest.mark.parametrize("name", zoo.TAUT)
def test_tendons(probes, name):
    mj, probe = probes(zoo.TAUT[name])
    found = 0
    for seed in range(4):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.5)
        leaves = [n for n in OF_ROWS if n in probe.sim.leaves]
        found += constraint(probe, state, names=(*NAMES, *OF_TENDONS, *leaves))[0]
    assert found


def steady(probe, state):
    """Whether the contacts stay where they are if all moves by 1e-8: of a cylinder's side, deep in a box, rounding may
    decide which line it is that touches, in MuJoCo too."""
    case, places = p.Case(probe, state), []
    direction = case.direction("qpos")
    for t in (0.0, 1e-8, -1e-8):
        case.set(qpos=case.moved("qpos", direction, t))
        case.run(p.TERMS)
        places.append(probe.sim.data.contacts()["pos"].copy())
    return all(len(x) == len(places[0]) and np.abs(x - places[0]).max(initial=0.0) < 1e-5 for x in places)


@pytest.mark.parametrize(("kinds", "condim", "cone"), contacts_of_pairs())
def test_collide_and_contact(probes, kinds, condim, cone):
    mj, probe = probes(zoo.touching(*kinds, zoo.CONDIMS[condim], f'cone="{cone}"'))
    data, compared = mujoco.MjData(mj), 0
    for seed in range(6):
        state = zoo.touching_state(mujoco, mj, data, np.random.default_rng(seed))
        if steady(probe, state):
            ncon, _ = constraint(probe, state, names=NAMES + LEAVES if seed < 2 else NAMES)
            assert ncon
            compared += 1
    assert compared >= 5


def test_every_feature_of_two_boxes(probes):
    """Corners of a face, edges cut by its sides, its own corners, edges that cross, and that end (within a margin)."""
    wanted = {witness.POINT, witness.FACE, witness.CROSS, witness.CORNER, witness.EDGE, witness.END}
    found = {}
    for contact in ("", 'margin="0.1"'):
        mj, probe = probes(zoo.touching("box", "box", contact))
        data, rng = mujoco.MjData(mj), np.random.default_rng(0)
        for _ in range(400):
            state = zoo.touching_state(mujoco, mj, data, rng)
            p.Case(probe, state).set()
            probe.run(p.TERMS)
            ncon = int(probe.sim.data.ncon[0])
            kinds = {int(k) for side in ("con_kind1", "con_kind2") for k in probe.column(side)[:ncon]}
            if any(found.get(kind, 0) < 2 for kind in kinds):
                assert constraint(probe, state, names=NAMES + SHAPES)[0] == ncon
                found.update({kind: found.get(kind, 0) + 1 for kind in kinds})
    assert found.keys() == wanted, found


@pytest.mark.parametrize("kinds", zoo.HULLS, ids="-".join)
def test_every_feature_of_two_hulls(probes, kinds):
    """Corners of a face, edges cut by its sides, its own corners, all over a tilted face; and an edge over a face."""
    tilted = {witness.TILTED + kind for kind in (witness.POINT, witness.CROSS, witness.CORNER)}
    wanted = {witness.TILTED, *tilted, witness.POINT, witness.FACE, witness.CROSS}
    found = dict.fromkeys(wanted, 0)
    mj, probe = probes(zoo.touching(*kinds, 'margin=".02"'))
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    for _ in range(600):
        state = zoo.touching_state(mujoco, mj, data, rng)
        p.Case(probe, state).set()
        probe.run(p.TERMS)
        ncon = int(probe.sim.data.ncon[0])
        seen = wanted & {int(k) for side in ("con_kind1", "con_kind2") for k in probe.column(side)[:ncon]}
        if any(found[kind] < 2 for kind in seen):
            assert constraint(probe, state, names=NAMES + SHAPES)[0] == ncon
            found.update({kind: found[kind] + 1 for kind in seen})
        if min(found.values()) >= 2:
            break
    assert min(found.values()) > 0, found


@pytest.mark.parametrize("kinds", (("capsule", "mesh"), ("capsule", "cylinder"), ("cylinder", "box")), ids="-".join)
def test_a_round_side_within_a_margin(probes, kinds):
    """Which line of the side it is hangs on the normal; a capsule's is farther out by half the margin."""
    mj, probe = probes(zoo.touching(*kinds, 'margin=".02"'))
    rng, found = np.random.default_rng(0), 0
    for qpos in leaning_states(mj, 200):
        state = (qpos, *zoo.random_state(mujoco, mj, rng, 0.0)[1:])
        p.Case(probe, state).set()
        probe.run(p.TERMS)
        ncon = int(probe.sim.data.ncon[0])
        ruled = probe.column("con_kind1")[:ncon] >= witness.RULED
        if (probe.column("con_dist")[:ncon][ruled] < -0.002).any() and steady(probe, state):
            assert constraint(probe, state, names=(*NAMES, "geom_margin", "geom_gap"))[0] == ncon
            found += 1
        if found == 3:
            return
    raise AssertionError(f"only {found}")


def aligned_states(mj):
    """(qpos, whether MuJoCo surely has contacts) with both geoms turned alike: their centres in one place, almost so,
    and one above the other, so that they just touch, overlap by a hair, a little, or almost wholly."""
    data = mujoco.MjData(mj)
    for quat in ([1.0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [0.8, 0, 0.6, 0]):
        def at(z, quat=quat):
            return np.array([0, 0, 0.5, *quat, 0, 0, 0.5 + z, *quat])

        near, far = 0.0, 1.0
        for _ in range(60):
            data.qpos[:] = at(0.5 * (near + far))
            mujoco.mj_kinematics(mj, data)
            apart = mujoco.mj_geomDistance(mj, data, mj.geom("g1").id, mj.geom("g2").id, 1.0, None) > 0
            near, far = (near, 0.5 * (near + far)) if apart else (0.5 * (near + far), far)
        for z in (0.0, 1e-15, 1e-9, 1e-3, 0.5 * far, far - 1e-3, far - 1e-6):
            data.qpos[:] = at(z)
            mujoco.mj_fwdPosition(mj, data)
            yield at(z), data.ncon > 0
        for z in (far - 1e-9, far - 1e-15, far, far + 1e-15):
            yield at(z), False


@pytest.mark.parametrize("kinds", [k for k in zoo.PAIRS + zoo.CONVEX + zoo.HULLS if k[0] != "plane"], ids="-".join)
def test_degenerate_contacts_have_finite_adjoints(probes, kinds):
    """Exactly parallel, just touching, concentric, deep: which features touch is a choice, which the adjoint holds."""
    mj, probe = probes(zoo.touching(*kinds, zoo.CONDIMS[3], 'cone="elliptic"'))
    for qpos, touch in aligned_states(mj):
        case = p.Case(probe, (qpos, 0.3 * np.ones(mj.nv), np.zeros(0), np.zeros(0)))
        case.set()
        case.run(p.TERMS)
        assert int(probe.sim.data.ncon[0]) >= touch, qpos
        bars = asked(case)
        probe.clear()
        probe.column("z")[:] = case.rng.normal(size=mj.nv)
        case.run((p.MOTIONS, 0))
        ask(probe, bars)
        case.run(p.CONSTRAINT_VJP, (p.RNEA_VJP, 0))
        for name in ("qpos", "qvel", *probe.sim.params):
            assert np.isfinite(probe.bar(name)).all(), (qpos, name)


@CONES
@pytest.mark.parametrize("name", zoo.PARAMETERS)
def test_parameters_of_contact(probes, name, cone):
    attributes, option = zoo.PARAMETERS[name]
    mj, probe = probes(zoo.touching("capsule", "capsule", attributes, f'cone="{cone}" {option}'))
    state = zoo.touching_state(mujoco, mj, mujoco.MjData(mj), np.random.default_rng(1))
    assert constraint(probe, state, names=NAMES + LEAVES)[0]


@CONES
@pytest.mark.parametrize("name", (*zoo.UNLIKE, *zoo.FRICTIONS))
def test_whose_parameters_count(probes, name, cone):
    """Of two geoms the greater friction, or that of the higher priority; or the pair's own."""
    option, mixed = f'cone="{cone}"', name in zoo.UNLIKE
    xml = zoo.unlike(name, option) if mixed else zoo.explicit_pair(zoo.FRICTIONS[name], option)
    mj, probe = probes(xml)
    m, size = probe.model, {name: 0.0 for name in ("geom_friction", "pair_friction")}
    for seed in range(3):
        state = zoo.touching_state(mujoco, mj, mujoco.MjData(mj), np.random.default_rng(seed))
        assert constraint(probe, state, names=NAMES + LEAVES * (seed == 0))[0]
        size = {name: total + np.abs(probe.bar(name)) for name, total in size.items()}
    rubs = probe.column("con_dim")[0] > 1
    if not mixed:
        assert not size["geom_friction"].any() and size["pair_friction"].any() == rubs
        return
    geoms = [mj.geom(g).id for g in ("g1", "g2")]
    key = [(int(m.geom_priority[g]), float(m.geom_friction[g, 0])) for g in geoms]
    counts = np.array([key[0] >= key[1], key[1] >= key[0]])
    np.testing.assert_array_equal(size["geom_friction"][geoms, 0] != 0, counts & rubs)


@pytest.mark.parametrize("condim", (1, 3, 6))
def test_equal_friction_is_halved(probes, condim):
    """Of two geoms each has half, which is what a central difference of one of them gives."""
    mj, probe = probes(zoo.touching("capsule", "box", zoo.CONDIMS[condim]))
    for seed in range(3):
        state = zoo.touching_state(mujoco, mj, mujoco.MjData(mj), np.random.default_rng(seed))
        assert constraint(probe, state, names=("geom_friction",), parting=True)[0]
        bar = probe.bar("geom_friction")
        touch = [mj.geom("g1").id, mj.geom("g2").id]
        np.testing.assert_allclose(*bar[touch], rtol=1e-14)
        assert np.abs(bar[touch, 0]).any() == (condim > 1)


@CONES
@pytest.mark.parametrize("condim", (3, 6))
def test_contacts_that_couple_branches(probes, condim, cone):
    mj, probe = probes(zoo.one_tree(f'cone="{cone}"', zoo.CONDIMS[condim]))
    for seed in range(3):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        assert constraint(probe, state)[0]


@CONES
@pytest.mark.parametrize("name", ("contact", "rolling contact", "ball limit", "friction and limits"))
def test_acceleration(probes, name, cone):
    """da/d(qfrc_applied) = H^-1 at the solution, and the same through the forces for sensors that read them."""
    contact = zoo.CONDIMS[6 if "rolling" in name else 3]
    mj, probe = probes(zoo.one_tree(f'cone="{cone}"', contact) if "contact" in name else zoo.ROWS[name])
    for seed in range(3):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        case = p.Case(probe, state)
        m = case.model
        case.x["qacc"] = solve(case)
        case.x["applied"] = np.zeros(m.nv)
        case.run(p.TERMS)
        a_bar, f_bar = case.rng.normal(size=m.nv), asked(case)

        def forward(case=case, a_bar=a_bar, f_bar=f_bar):
            case.sim.data.qfrc_applied[0] = case.now
            case.sim.data.qacc_warmstart[0] = case.x["qacc"]
            case.sim.forward()
            return float(a_bar @ case.sim.data.qacc[0]) + felt(case.probe, f_bar)

        def set_(case=case, applied=None):
            case.now = case.x["applied"] if applied is None else applied
            p.Case.set(case)

        probe.column("a_bar")[:] = a_bar
        ask(probe, f_bar)
        case.run(p.ACCELERATION_VJP)
        bar = -probe.column("z")
        case.set = set_
        case.compare(forward, {"applied": bar.copy()}, tolerance=1e-6)


HINGE_LIMIT = zoo.limited('<joint axis="1 2 3" range="-.2 .3"/>')
BALL_LIMIT = zoo.limited('<joint type="ball" range="0 .5"/>')


@pytest.mark.parametrize("end", (0, 1), ids=("lower", "upper"))
def test_exactly_at_a_limit(probes, end):
    """No row yet: the derivative is that of the free side."""
    mj, probe = probes(HINGE_LIMIT)
    state = mj.jnt_range[0, [end]], np.array([0.3]), [], []
    _, nrow = constraint(probe, state, names=("qpos",), side=(1, -1)[end], direction=np.ones(1))
    assert nrow == 0


@pytest.mark.parametrize("past", (1e-7, 1e-5, 2e-4))
def test_just_beyond_a_limit(probes, past):
    mj, probe = probes(HINGE_LIMIT)
    state = mj.jnt_range[0, [1]] + past, np.array([0.3]), [], []
    steps = past * np.array([0.1, 0.03])
    assert constraint(probe, state, names=("qpos",), steps=steps, direction=np.ones(1), tolerance=1e-5)[1] == 1
    constraint(probe, state, names=("qvel", "qacc"))


@pytest.mark.parametrize("angle", (0.5, 0.6, 3.1))
def test_ball_limit(probes, angle):
    mj, probe = probes(BALL_LIMIT)
    qpos = np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * np.array([0.6, 0, -0.8])])
    state = qpos, np.array([0.1, -0.2, 0.3]), [], []
    inwards = -np.array([0.6, 0, -0.8])
    ncon, _ = constraint(
        probe, state, names=("qpos",), **({"side": 1, "direction": inwards} if angle == 0.5 else {})
    )
    assert ncon == (angle > 0.5)


def test_ball_limit_of_zero_at_angle_zero(probes):
    """A ball joint that may not turn, not turned: nothing is NaN."""
    mj, probe = probes(zoo.limited('<joint type="ball" range="0 .01" margin=".02"/>'))
    case = p.Case(probe, (np.array([1.0, 0, 0, 0]), np.zeros(3), [], []))
    case.set()
    case.run(p.TERMS)
    assert probe.column("nblock")[0] == 1
    probe.clear()
    probe.column("z")[:] = 1
    case.run((p.MOTIONS, 0), p.CONSTRAINT_VJP, (p.RNEA_VJP, 0))
    assert np.isfinite(probe.bar("qpos")).all()
    assert np.isfinite(probe.bar("qvel")).all()


def test_frictionless_dofs(probes):
    """Dry friction of zero has the derivative to the right, and none where the dof's jar is zero but for rounding."""
    mj, probe = probes(zoo.limited('<joint axis="1 2 3"/><joint type="slide" axis="1 0 0"/>'))
    state = np.array([0.2, 0.1]), np.array([0.4, -0.7]), [], []
    case = p.Case(probe, state)
    z = np.array([0.7, -1.3])
    case.set()
    case.run(p.TERMS)
    probe.clear()
    probe.column("z")[:] = z
    case.run((p.MOTIONS, 0), p.CONSTRAINT_VJP)
    bar = probe.bar("dof_frictionloss")

    def forward():
        case.run(p.TERMS)
        return float(-z @ probe.column("qfrc_constraint"))

    case.direction = lambda name: np.abs(case.rng.normal(size=2))
    case.compare(forward, {"dof_frictionloss": bar}, side=1)
    assert np.abs(bar).min() > 0.1


@pytest.mark.parametrize("attributes", ("", 'margin=".02"'), ids=("", "margin"))
@pytest.mark.parametrize("kinds", some(zoo.FIELDS), ids="-".join)
def test_height_fields(probes, kinds, attributes):
    """Contacts with prisms, also of a field that moves; those of boxes and meshes as the search leaves them."""
    mj, probe = probes(zoo.touching(*kinds, attributes))
    data, compared, netted = mujoco.MjData(mj), 0, 0
    for seed in range(4):
        state = zoo.touching_state(mujoco, mj, data, np.random.default_rng(seed))
        if steady(probe, state):
            ncon, _ = constraint(probe, state, names=NAMES + OF_FIELDS + (LEAVES if seed < 2 else ()))
            assert ncon and np.abs(probe.bar("hfield_data")).max() > 0
            compared += 1
            netted += int((probe.column("con_kind1")[:ncon] >= witness.NETTED).any())
    assert compared >= 3
    assert (netted > 0) == (kinds[1] in ("box", "mesh") and not attributes)
