"""Which number of a robot is wrong? The share of random single faults whose cause `identify.compare` names first.

python tests/benchmarks/causes.py [--count 10] [--seed 0]
"""

import argparse
import sys
import time
from pathlib import Path

import mujoco
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.identify import Log, compare
from tests.identify.twin import arm

CRANE = """<mujoco><option timestep="0.002" integrator="implicitfast"/><worldbody>
 <body name="cart" pos="0 0 1"><joint name="rail" type="slide" axis="1 0 0" damping="1" frictionloss="0.3"
  armature="0.2"/><geom name="cart" type="box" size=".1 .1 .05" mass="1.5" contype="0" conaffinity="0"/>
  <body name="rope"><joint name="swing" axis="0 1 0" damping="0.02" armature="0.005"/>
   <geom size=".02" fromto="0 0 0 0 0 -.5" type="capsule" mass="0.4" contype="0" conaffinity="0"/></body></body>
</worldbody><actuator><motor name="rail" joint="rail" gear="10"/></actuator></mujoco>"""
LEG = """<mujoco><option timestep="0.002" integrator="implicitfast"/><worldbody>
 <body name="thigh"><joint name="hip" axis="1 0 0" damping="0.2" frictionloss="0.1" armature="0.01"/>
  <geom size=".03" fromto="0 0 0 0 .2 -.1" type="capsule" mass="1.1" contype="0" conaffinity="0"/>
  <body name="shank" pos="0 .2 -.1"><joint name="knee" axis="0 1 0" damping="0.2" armature="0.01" stiffness="2"/>
   <geom size=".02" fromto="0 0 0 0 0 -.25" type="capsule" mass="0.5" contype="0" conaffinity="0"/>
   <body name="foot" pos="0 0 -.25"><joint name="ankle" axis="0 1 0" damping="0.05" armature="0.004"/>
    <geom size=".03" pos=".05 0 0" mass="0.2" contype="0" conaffinity="0"/></body></body></body>
</worldbody><actuator><position name="hip" joint="hip" kp="30" kv="1.5"/>
 <position name="knee" joint="knee" kp="20" kv="0.8"/><position name="ankle" joint="ankle" kp="6" kv="0.2"/></actuator>
</mujoco>"""
ROBOTS = {
    "arm": (arm, 0.5),
    "crane": (lambda: mujoco.MjModel.from_xml_string(CRANE), 0.6),
    "leg": (lambda: mujoco.MjModel.from_xml_string(LEG), 0.4),
}


def faults(mj):
    """{term: [(name as `compare` has it, array, place, numbers)]}: what a robot has that may be wrong."""
    found = {"gravity": [("gravity[2]", mj.opt.gravity, 2)]}
    joints = [mj.joint(j).name for j in range(mj.njnt)]
    for term in ("dof_damping", "dof_armature", "dof_frictionloss", "jnt_stiffness"):
        value = getattr(mj, term)
        found[term] = [(f"{term}:{n}", value, j) for j, n in enumerate(joints) if value[j] > 0]
    found["body_mass"] = [(f"body_mass:{mj.body(b).name}", mj.body_mass, b) for b in range(1, mj.nbody)]
    drives = [(mj.actuator(u).name, u) for u in range(mj.nu)]
    servo = mj.actuator_biasprm[:, 1] != 0
    found["kp"] = [(f"kp:{n}", mj.actuator_biasprm, (u, 1)) for n, u in drives if servo[u]]
    found["kv"] = [(f"kv:{n}", mj.actuator_biasprm, (u, 2)) for n, u in drives if mj.actuator_biasprm[u, 2] != 0]
    found["actuator_gear"] = [(f"actuator_gear:{n}[0]", mj.actuator_gear, (u, 0)) for n, u in drives if not servo[u]]
    return {term: some for term, some in found.items() if some} | {"delay": [("delay", None, None)]}


def wrong(mj, fault, factor):
    """Multiply one number of an MjModel."""
    name, array, place = fault
    array[place] *= 1 + 0.3 * (factor - 1) if name == "gravity[2]" else factor
    if name.startswith("kp:"):  # of a servo both
        mj.actuator_gainprm[place[0], 0] *= factor


def log_of(mj, amplitude, late, rng, seconds=1.2, noise=1e-4):
    """Encoders every second step, of a motion under random sums of sines that act `late` steps later."""
    t = mj.opt.timestep * np.arange(round(seconds / mj.opt.timestep))
    rates, phases = rng.uniform(5, 25, (3, mj.nu)), rng.uniform(0, 6, (3, mj.nu))
    ctrl = amplitude / 2 * np.sin(rates * t[:, None, None] + phases).sum(axis=1)
    data, shown = mujoco.MjData(mj), np.empty((len(t), mj.nq))
    for k in range(len(t)):
        shown[k], data.ctrl[:] = data.qpos, ctrl[max(k - late, 0)]
        mujoco.mj_step(mj, data)
    shown = (shown + noise * rng.normal(size=shown.shape))[::2]
    channels = {mj.joint(j).name: (t[::2], shown[:, j]) for j in range(mj.njnt)}
    return Log(channels | {f"ctrl:{mj.actuator(u).name}": (t, ctrl[:, u]) for u in range(mj.nu)}, "a log")


def share(count, seed, told=print):
    """(named first, named beside the first, within the noise, all) of faults drawn at random, `count` of each robot."""
    rng, tally = np.random.default_rng(seed), np.zeros(4, int)
    for robot, (made, amplitude) in ROBOTS.items():
        model = engine.load(made())
        for _ in range(count):
            mj, late, factor = made(), 0, float(rng.choice([0.5, 0.7, 1.4, 2.0]))
            options = faults(mj)
            some = options[list(options)[rng.integers(len(options))]]
            fault = some[rng.integers(len(some))]
            if fault[1] is None:
                late = int(rng.integers(2, 6))
            else:
                wrong(mj, fault, factor)
            found = compare(model, log_of(mj, amplitude, late, rng))
            first, name = found.first, fault[0]
            named = [] if first is None else [first.name, *first.alike]
            if late:  # one of all actuators
                named = [n.partition(":")[0] for n in named]
            right, alike = named[:1] == [name], name in named[1:]
            tally += (right, alike, bool(found), 1)
            how = f"{late} steps" if late else f"x {factor:g}"
            verdict = "yes" if right else "beside" if alike else "no"
            told(f"| {robot} | {name} {how} | {verdict} | {'the same' if found else first or 'none'} |")
    return tally


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10, help="faults of each robot (default 10)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    engine.init(features="all", threads=1)
    began = time.process_time()
    right, alike, same, total = share(args.count, args.seed, lambda row: print(row, flush=True))
    print(f"{right} of {total} named first, {alike} named beside it, {same} within the noise; "
          f"{time.process_time() - began:.0f} CPU s")  # fmt: skip


if __name__ == "__main__":
    main()
