"""The broad phase: the same contacts in the same order, to the bit, as from trying every pair; sizes of matrices."""

import numpy as np
import pytest

import engine
from engine import arrays
from engine.arrays import sizes_of
from engine.model import broad

SHAPES = (
    'type="sphere" size="{0:.3f}"', 'type="capsule" size="{0:.3f} {1:.3f}"', 'type="box" size="{0:.3f} {1:.3f} .1"',
)  # fmt: skip


def litter(rng, n, extra=""):
    """Free bodies of all shapes and sizes lying about in a box of floor and walls, some touching, some with margins."""
    bodies = ""
    for i in range(n):
        shape = SHAPES[rng.integers(2)].format(*rng.uniform(0.02, 0.3, 2))
        x, y, z = rng.uniform(-1, 1, 3) * (1.5, 1.0, 0.4)
        turn = " ".join(map(str, rng.uniform(0, 360, 3)))
        margin = f'margin="{rng.uniform(0, 0.2):.3f}" gap="{rng.uniform(0, 0.1):.3f}"' if i % 3 == 0 else ""
        bodies += f'<body pos="{x} {y} {z}" euler="{turn}"><freejoint/><geom name="g{i}" {shape} {margin}/></body>'
    walls = "".join(f'<geom {SHAPES[2].format(0.3, 0.4)} pos="{x} 0 0"/>' for x in (-1.2, 0.1, 1.1))
    return (
        f'<mujoco><worldbody><geom type="plane" size="9 9 1" pos="0 0 -.4"/>{walls}{bodies}</worldbody>'
        f"<contact>{extra}</contact></mujoco>"
    )


EXTRA = '<pair geom1="g3" geom2="g7" margin="2"/><pair geom1="g1" geom2="g2" margin=".4"/>'


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("extra", ("", EXTRA), ids=("", "own pairs"))
def test_the_same_contacts(seed, extra, monkeypatch):
    rng = np.random.default_rng(seed)
    model = engine.load(litter(rng, 45, extra))
    assert sizes_of(model, 1)["nsweep"] > 0
    found = []
    for many in (broad.SWEPT, 10**9):
        monkeypatch.setattr(broad, "SWEPT", many)
        sim = engine.Simulator(model, worlds=2)
        sim.data.qpos[1, 0::7] *= 0.7  # closer together
        sim.data.qpos[1, 2] = 1e4  # one got away
        sim.forward()
        first = [sim.data.contacts(w) for w in range(2)]
        sim.step(5)
        found.append((first, [sim.data.contacts(w) for w in range(2)], sim.data.qpos.copy()))
    assert len(found[0][0][0]["pair"]) > 20
    np.testing.assert_array_equal(found[0][2], found[1][2])
    for swept, tried in zip(found[0][0] + found[0][1], found[1][0] + found[1][1], strict=True):
        for name, value in tried.items():
            np.testing.assert_array_equal(swept[name], value, name)


def free_balls(n):
    return "<mujoco><worldbody><geom type='plane' size='9 9 1'/>" + "".join(
        f"<body pos='{0.3 * i} 0 .1'><freejoint/><geom size='.1'/></body>" for i in range(n)
    ) + "</worldbody></mujoco>"  # fmt: skip


def test_memory_grows_with_the_bodies():
    """Room for contacts is what pairs can make, or so many for each geom; more raise, and nothing is lost."""
    ten, hundred, two = (engine.Simulator(engine.load(free_balls(n))) for n in (10, 100, 200))
    assert ten.ncon_max == 10 * 9 // 2 + 10
    assert hundred.ncon_max == 100 + arrays.CROWD * 100
    # H alone has room for all bodies in one heap
    assert two.pack.nbytes - two.pack["H"].nbytes < 2.1 * (hundred.pack.nbytes - hundred.pack["H"].nbytes)
    hundred.data.qpos.reshape(100, 7)[:, :3] = 0.05, 0, 0.09  # all in one place
    need = 100 * 99 // 2 + 100
    with pytest.raises(engine.ContactOverflowError, match=f"{need} contacts, .* ncon={need}"):
        hundred.forward()


def test_matrices_hold_what_trees_ask_for():
    """Each free body alone has 6 rows, of one block and of two; coupled by pairs, H has room for all at once."""
    few, many = (sizes_of(engine.load(free_balls(n)), 10) for n in (10, 20))
    assert (few["nm"], many["nm"]) == (10 * (4 * 4 + 2 * 8), 20 * (4 * 4 + 2 * 8))
    assert few["nchain"] == many["nchain"] == 12
    assert few["nh"] == sum(4 * (k // 4 + 1) for k in range(60))
    chain = "".join(
        "<body pos='0 0 -.1'><joint axis='0 1 0'/><geom type='capsule' size='.01 .03' contype='0'/>" for _ in range(9)
    )
    sizes = sizes_of(engine.load(f"<mujoco><worldbody>{chain}{'</body>' * 9}</worldbody></mujoco>"), 1)
    assert sizes["nm"] == sizes["nh"] == 4 * (4 + 2 * 4 + 3)
