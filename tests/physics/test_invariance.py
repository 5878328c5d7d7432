"""What must not matter: how many worlds, how many threads, which run; and what must be refused."""

import os
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest

from engine.errors import ContactOverflowError, DivergenceError
from tests import zoo

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys, numpy as np, mujoco, engine
engine.init(threads={threads}, precision="{precision}")
from engine.model import load
from engine.simulator import Simulator
from engine.diff.tape import Tape
from tests import zoo
mj = mujoco.MjModel.from_xml_string(zoo.one_tree('cone="elliptic"'))
worlds = 65
sim = Simulator(load(mj), worlds)
rng = np.random.default_rng(0)
sim.data.qpos[:] = [zoo.random_state(mujoco, mj, rng, 0.2)[0] for _ in range(worlds)]
sim.data.qvel[:] = rng.normal(size=(worlds, mj.nv))
tape = Tape(sim, 30)
traj = tape.rollout(rng.normal(size=(30, worlds, mj.nu)))
grads = tape.backward(qpos=rng.normal(size=traj.qpos.shape), qvel=rng.normal(size=traj.qvel.shape))
np.savez({out!r}, qpos=traj.qpos, qvel=traj.qvel, ctrl=grads.ctrl, qvel0=grads.qvel0,
         **{{"d_" + n: grads.model.per_world(n) for n in grads.model}})
"""


def start(mj, worlds, seed=0):
    rng = np.random.default_rng(seed)
    qpos = np.array([zoo.random_state(mujoco, mj, rng, 0.2)[0] for _ in range(worlds)])
    return qpos, rng.normal(size=(worlds, mj.nv)), rng.normal(size=(worlds, mj.nu))


@pytest.mark.parametrize("cone", zoo.CONES)
def test_a_world_of_a_batch_equals_the_world_alone(simulators, cone):
    xml = zoo.one_tree(f'cone="{cone}"')
    mj, alone = simulators(xml)
    qpos, qvel, ctrl = start(mj, 1024)
    ends = {}
    for worlds in (7, 1024):
        _, sim = simulators(xml, None, worlds)
        sim.reset(qpos[:worlds], qvel[:worlds])
        sim.data.ctrl[:] = ctrl[:worlds]
        sim.step(40)
        ends[worlds] = sim.data.qpos.copy(), sim.data.qvel.copy(), sim.data.qacc.copy()
    for k in (0, 3, 6, 500, 1023):
        alone.reset(qpos[k], qvel[k])
        alone.data.ctrl[0] = ctrl[k]
        alone.step(40)
        for worlds in (7, 1024):
            if k < worlds:
                for mine, theirs in zip(ends[worlds], (alone.data.qpos, alone.data.qvel, alone.data.qacc), strict=True):
                    assert np.array_equal(mine[k], theirs[0])
    assert np.isfinite(ends[1024][0]).all()
    assert ends[1024][0][:, 2].std() > 0.01


def subprocess_result(tmp_path, name, threads, precision="f64"):
    script, out = tmp_path / f"{name}.py", tmp_path / f"{name}.npz"
    script.write_text(SCRIPT.format(threads=threads, precision=precision, out=str(out)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    subprocess.run([sys.executable, str(script)], check=True, env=environment, cwd=tmp_path, timeout=600)
    return dict(np.load(out))


@pytest.mark.slow
def test_threads_and_precision(tmp_path):
    one, two = (subprocess_result(tmp_path, f"t{n}", n) for n in (1, 2))
    for name in one:
        assert np.array_equal(one[name], two[name]), name
    single = subprocess_result(tmp_path, "f32", 2, "f32")
    assert single["qpos"].dtype == np.float32
    # contact amplifies rounding: the first steps agree, and all of it stays finite
    assert np.abs(single["qpos"][:5] - one["qpos"][:5]).max() < 1e-4
    for name in single:
        assert np.isfinite(single[name]).all(), name


def test_divergence_names_world_step_and_dof(simulators):
    mj, sim = simulators(zoo.SMOOTH["hinge"], None, 3)
    sim.data.qvel[1] = 0.0
    sim.data.qfrc_applied[1, 0] = 1e300
    with pytest.raises(DivergenceError) as caught:
        sim.step(4)
    assert (caught.value.world, caught.value.step, caught.value.dof) == (1, 0, 0)
    sim.data.qfrc_applied[:] = 0


def test_too_many_contacts_raise(simulators):
    from engine.simulator import Simulator

    floor = '<geom type="plane" size="2 2 .1"/>'
    xml = zoo.model(floor + '<body><freejoint/><geom type="box" size=".2 .15 .12" mass="1"/></body>', default="")
    mj, sim = simulators(xml)
    small = Simulator(sim.model, ncon=2)
    small.reset(np.array([0, 0, 0.11, 1, 0, 0, 0]))
    with pytest.raises(ContactOverflowError) as caught:
        small.step()
    assert caught.value.needed == 4
    enough = Simulator(sim.model, ncon=4)
    enough.reset(np.array([0, 0, 0.11, 1, 0, 0, 0]))
    enough.step()


@pytest.mark.parametrize("name", ("qpos", "qvel", "ctrl", "qfrc_applied", "xfrc_applied"))
def test_nan_is_refused_before_anything_moves(simulators, name):
    mj, sim = simulators(zoo.one_tree(), None, 7)
    before = sim.data.qpos.copy()
    getattr(sim.data, name)[2].flat[1] = np.nan
    with pytest.raises(ValueError, match=name):
        sim.step()
    getattr(sim.data, name)[2].flat[1] = 0.0
    same = np.delete(sim.data.qpos, 2, axis=0) if name == "qpos" else sim.data.qpos
    assert np.array_equal(same, np.delete(before, 2, axis=0) if name == "qpos" else before)
