"""No kernel reads or writes beside its buffers: with gaps between them, full of numbers, all comes out the same and the
gaps stay. Kernels of all features, as tests have them, meet robots for whom most buffers are empty."""

import numpy as np
import pytest

import engine
import scenes
from engine import arrays
from engine import schema as s
from engine.model import load
from tests import zoo

GAP = 512  # numbers
MODELS = {
    "double_pendulum": lambda: scenes.load("double_pendulum").model,  # RK4, no contact
    "half_cheetah": lambda: scenes.load("half_cheetah").model,
    "activation": lambda: load(zoo.SMOOTH["activation"].format(option='integrator="implicitfast"')),
    "free boxes": lambda: load(zoo.touching("box", "box").format(option="")),
    "tendons": lambda: load(zoo.TENDONS["pulled along paths"].format(option="")),
}


class Gaps:
    """Packs that are made from now on have gaps."""

    def __init__(self, monkeypatch):
        self.packs, layout, made = [], arrays.pack_layout, arrays.Pack.__init__

        def apart(name, elements):
            shapes, starts, lengths = layout(name, elements)
            lengths = dict.fromkeys(lengths, 0)
            for b in s.PACKS[name]:
                kind = s.kind_of(b)
                starts[b.name] = lengths[kind] + GAP
                lengths[kind] += GAP + -(-int(np.prod(shapes[b.name])) // arrays.APART) * arrays.APART
            return shapes, starts, {kind: n + GAP for kind, n in lengths.items()}

        def init(pack, name, elements):
            made(pack, name, elements)
            for gap in self.between(pack):
                gap[:] = np.arange(3, 3 + len(gap)) % 7  # small numbers: as counts they would be followed
            self.packs.append(pack)

        monkeypatch.setattr(arrays, "pack_layout", apart)
        monkeypatch.setattr(arrays.Pack, "__init__", init)

    def between(self, pack):
        for b in s.PACKS[pack.name]:
            at = pack.starts[b.name]
            yield pack.blocks[s.kind_of(b)][at - GAP : at]

    def check(self):
        for pack in self.packs:
            for b, gap in zip(s.PACKS[pack.name], self.between(pack), strict=True):
                if b.name in ("lin_A", "lin_B"):  # which lie in turns at several places (diff/linearize.py)
                    continue
                assert np.array_equal(gap, np.arange(3, 3 + GAP) % 7), f"{pack.name}: before {b.name}"


def outcome(model):
    rng = np.random.default_rng(3)
    worlds, steps = 3, 4
    sim = engine.Simulator(model, worlds)
    sim.data.qvel[:] = rng.normal(size=sim.data.qvel.shape)
    ctrl = rng.uniform(-1, 1, (steps, worlds, model.nu))
    tape = engine.Tape(sim, steps)
    trajectory = tape.rollout(ctrl)
    grads = tape.backward(qpos=np.ones_like(trajectory.qpos), sensordata=np.ones_like(trajectory.sensordata))
    A, B = sim.linearize()
    sim.step(2)
    rows = [trajectory.qpos, trajectory.sensordata, grads.ctrl, grads.qpos0, grads.model["body_mass"], A, B]
    return b"".join(np.ascontiguousarray(row).tobytes() for row in (*rows, sim.data.qpos))


@pytest.mark.parametrize("name", [
    pytest.param(n, marks=[pytest.mark.slow] * (n in ("free boxes", "tendons"))) for n in MODELS
])  # fmt: skip
def test_nothing_beside_the_buffers(name, monkeypatch):
    model = MODELS[name]()
    usual = outcome(model)
    gaps = Gaps(monkeypatch)
    assert outcome(model) == usual
    gaps.check()
    assert gaps.packs
