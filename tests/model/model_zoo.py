"""Robots written twice, as MJCF and with ModelBuilder, and pairs of arrays to compare."""

import numpy as np

from engine.model import ModelBuilder
from engine.model.fields import FIELDS

CHEETAH = """
<mujoco model="cheetah">
  <compiler angle="radian" settotalmass="14"/>
  <option timestep="0.01" impratio="2" cone="elliptic" iterations="30"/>
  <default>
    <joint armature="0.1" damping="0.01" solimplimit="0 0.8 0.03" solreflimit="0.02 1" stiffness="8"/>
    <geom conaffinity="0" contype="1" friction="0.4 0.1 0.1" solimp="0 0.8 0.01" solref="0.02 1"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom name="floor" type="plane" size="40 40 40" conaffinity="1" condim="3" rgba="0.8 0.9 0.8 1"/>
    <body name="torso" pos="0 0 0.7">
      <joint name="rootx" type="slide" axis="1 0 0" armature="0" damping="0" stiffness="0"/>
      <joint name="rootz" type="slide" axis="0 0 1" armature="0" damping="0" stiffness="0"/>
      <joint name="rooty" type="hinge" axis="0 1 0" armature="0" damping="0" stiffness="0"/>
      <geom name="torso" type="capsule" fromto="-0.5 0 0 0.5 0 0" size="0.046"/>
      <geom name="head" type="capsule" pos="0.6 0 0.1" euler="0 0.87 0" size="0.046 0.15"/>
      <body name="bthigh" pos="-0.5 0 0">
        <joint name="bthigh" axis="0 1 0" range="-0.52 1.05" damping="6" stiffness="240" ref="0.1" springref="0.2"/>
        <geom name="bthigh" type="capsule" pos="0.1 0 -0.13" euler="0 -3.8 0" size="0.046 0.145"/>
        <body name="bshin" pos="0.16 0 -0.25">
          <joint name="bshin" axis="0 2 0" range="-0.785 0.785" frictionloss="0.3" margin="0.01"/>
          <geom name="bshin" type="capsule" pos="-0.14 0 -0.07" euler="0 -2.03 0" size="0.046 0.15" density="700"/>
        </body>
      </body>
      <body name="fthigh" pos="0.5 0 0">
        <joint name="fthigh" axis="0 1 0" range="-1 0.7"/>
        <geom name="fthigh" type="capsule" pos="-0.07 0 -0.12" euler="0 0.52 0" size="0.046 0.133" mass="0.7"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor name="bthigh" joint="bthigh" gear="120"/>
    <motor name="bshin" joint="bshin" gear="90"/>
    <motor name="fthigh" joint="fthigh" gear="60"/>
  </actuator>
</mujoco>
"""


def cheetah():
    b = ModelBuilder("cheetah", timestep=0.01, impratio=2, cone="elliptic", iterations=30, settotalmass=14)
    b.default("joint", armature=0.1, damping=0.01, solimplimit=(0, 0.8, 0.03), solreflimit=(0.02, 1), stiffness=8)
    b.default("geom", conaffinity=0, contype=1, friction=(0.4, 0.1, 0.1), solimp=(0, 0.8, 0.01), solref=(0.02, 1))
    b.default("actuator", ctrllimited=True, ctrlrange=(-1, 1))
    b.geom("world", "floor", type="plane", size=(40, 40, 40), conaffinity=1, condim=3, rgba=(0.8, 0.9, 0.8, 1))
    torso = b.body("torso", pos=(0, 0, 0.7))
    root = {"armature": 0, "damping": 0, "stiffness": 0}
    b.joint(torso, "rootx", type="slide", axis=(1, 0, 0), **root)
    b.joint(torso, "rootz", type="slide", axis=(0, 0, 1), **root)
    b.joint(torso, "rooty", type="hinge", axis=(0, 1, 0), **root)
    b.geom(torso, "torso", type="capsule", fromto=(-0.5, 0, 0, 0.5, 0, 0), size=0.046)
    b.geom(torso, "head", type="capsule", pos=(0.6, 0, 0.1), euler=(0, 0.87, 0), size=(0.046, 0.15))
    # the front leg first: bodies must come out depth first along the order of children, whatever the order of calls
    back = b.body("bthigh", torso, pos=(-0.5, 0, 0))
    front = b.body("fthigh", torso, pos=(0.5, 0, 0))
    b.joint(front, "fthigh", axis=(0, 1, 0), range=(-1, 0.7))
    b.geom(front, "fthigh", type="capsule", pos=(-0.07, 0, -0.12), euler=(0, 0.52, 0), size=(0.046, 0.133), mass=0.7)
    b.joint(back, "bthigh", axis=(0, 1, 0), range=(-0.52, 1.05), damping=6, stiffness=240, ref=0.1, springref=0.2)
    b.geom(back, "bthigh", type="capsule", pos=(0.1, 0, -0.13), euler=(0, -3.8, 0), size=(0.046, 0.145))
    shin = b.body("bshin", back, pos=(0.16, 0, -0.25))
    b.joint(shin, "bshin", axis=(0, 2, 0), range=(-0.785, 0.785), frictionloss=0.3, margin=0.01)
    b.geom(shin, "bshin", type="capsule", pos=(-0.14, 0, -0.07), euler=(0, -2.03, 0), size=(0.046, 0.15), density=700)
    for joint, gear in (("bthigh", 120), ("bshin", 90), ("fthigh", 60)):
        b.motor(joint, joint, gear=gear)
    return b


MENAGERIE = """
<mujoco model="menagerie">
  <compiler angle="radian"/>
  <option timestep="0.003" integrator="RK4" gravity="0 1 -5">
    <flag eulerdamp="disable" refsafe="disable"/>
  </option>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 1" margin="0.01" gap="0.02"/>
    <site name="corner" pos="1 2 3" quat="1 2 3 4" type="box" size="0.1 0.2 0.3"/>
    <body name="shelf" pos="3 0 0" euler="0.1 0.2 0.3">
      <geom name="shelf" type="box" size="0.3 0.2 0.1" priority="2" friction="0.2"/>
    </body>
    <body name="drone" pos="0 0 1" quat="1 0.1 0.2 0.3">
      <freejoint name="drone"/>
      <geom name="hull" type="ellipsoid" size="0.3 0.2 0.1" contype="0" conaffinity="0"/>
      <geom name="mast" type="cylinder" size="0.05 0.3" pos="0.1 0 0.2" contype="0" conaffinity="0" mass="1.5"/>
      <geom name="ball" size="0.15" pos="-0.2 0.1 0" solmix="3" solref="0.05 0.7" condim="1"/>
      <site name="imu" pos="0.1 0 0"/>
      <body name="pod" pos="0.1 0.3 0" euler="0.3 0 0">
        <geom name="pod" type="capsule" size="0.05 0.1" solref="-100 -5"/>
        <body name="arm" pos="0 0.1 0">
          <joint name="shoulder" type="ball" pos="0 0 0.05" damping="0.2" range="0 1.2" stiffness="3"/>
          <joint name="rail" type="slide" axis="1 1 0" limited="true" range="-0.3 0.3" springref="0.1" ref="0.05"/>
          <inertial pos="0.1 0 0" mass="2" fullinertia="0.03 0.04 0.05 0.001 0.002 0.003"/>
          <geom name="hand" type="sphere" size="0.07" pos="0.3 0 0"/>
          <body name="tip" pos="0.3 0 0"/>
        </body>
      </body>
    </body>
    <body name="cart" pos="-2 0 0.5">
      <joint name="wheel" axis="0 0 1" pos="0.1 0 0" armature="0.01" solreffriction="0.03 0.9" frictionloss="0.1"/>
      <inertial pos="0 0 0.1" mass="3" diaginertia="0.2 0.3 0.4" euler="0.1 0 0"/>
      <geom name="cart" type="capsule" fromto="0 0 0 0.3 0.3 0.3" size="0.1"/>
    </body>
  </worldbody>
  <contact>
    <exclude body1="drone" body2="shelf"/>
    <pair geom1="hand" geom2="ball" friction="0.6 0.4" margin="0.02" solreffriction="0.04 1" condim="1"/>
    <pair geom1="ball" geom2="cart" solimp="0.5"/>
  </contact>
  <actuator>
    <position name="p" joint="wheel" kp="20" kv="2" forcerange="-5 5"/>
    <velocity name="v" joint="rail" kv="3" gear="2"/>
    <general name="thrust" joint="drone" gear="0 0 1 0 0.1 0" dyntype="filter" dynprm="0.1" ctrlrange="0 1"/>
    <general name="g" joint="wheel" dyntype="integrator" gaintype="affine" gainprm="1 2 3" biastype="affine"
      biasprm="4 5 6" actrange="-2 2"/>
    <motor joint="shoulder" gear="0 1 0"/>
  </actuator>
  <sensor>
    <jointpos name="q" joint="wheel"/>
    <jointvel joint="rail"/>
    <framepos objtype="site" objname="corner"/>
    <framequat objtype="body" objname="arm"/>
    <framelinvel objtype="xbody" objname="arm"/>
    <frameangvel objtype="geom" objname="hull"/>
    <subtreecom body="drone"/>
    <subtreelinvel body="drone"/>
    <gyro site="imu"/>
    <velocimeter site="imu"/>
    <accelerometer site="imu" cutoff="50"/>
    <actuatorfrc actuator="p"/>
    <touch site="imu"/>
  </sensor>
  <keyframe>
    <key name="up" qvel="0 0 1 0 0 0 0 0 0 0 0" ctrl="1 2 3 4 5" act="0.5 0.6"/>
  </keyframe>
</mujoco>
"""


def menagerie():
    b = ModelBuilder("menagerie", timestep=0.003, integrator="RK4", gravity=(0, 1, -5), eulerdamp=False, refsafe=False)
    b.geom("world", "floor", type="plane", size=(0, 0, 1), margin=0.01, gap=0.02)
    b.site("world", "corner", pos=(1, 2, 3), quat=(1, 2, 3, 4), type="box", size=(0.1, 0.2, 0.3))
    shelf = b.body("shelf", pos=(3, 0, 0), euler=(0.1, 0.2, 0.3))
    b.geom(shelf, "shelf", type="box", size=(0.3, 0.2, 0.1), priority=2, friction=0.2)
    _drone(b)
    cart = b.body("cart", pos=(-2, 0, 0.5))
    b.joint(cart, "wheel", axis=(0, 0, 1), pos=(0.1, 0, 0), armature=0.01, solreffriction=(0.03, 0.9), frictionloss=0.1)
    b.inertial(cart, 3, pos=(0, 0, 0.1), diaginertia=(0.2, 0.3, 0.4), euler=(0.1, 0, 0))
    b.geom(cart, "cart", type="capsule", fromto=(0, 0, 0, 0.3, 0.3, 0.3), size=0.1)
    b.exclude("drone", "shelf")
    b.pair("hand", "ball", friction=(0.6, 0.4), margin=0.02, solreffriction=(0.04, 1), condim=1)
    b.pair("ball", "cart", solimp=0.5)
    b.position("wheel", "p", kp=20, kv=2, forcerange=(-5, 5))
    b.velocity("rail", "v", kv=3, gear=2)
    b.general("drone", "thrust", gear=(0, 0, 1, 0, 0.1, 0), dyntype="filter", dynprm=0.1, ctrlrange=(0, 1))
    b.general("wheel", "g", dyntype="integrator", gainprm=(1, 2, 3), biasprm=(4, 5, 6), actrange=(-2, 2))
    b.motor("shoulder", gear=(0, 1, 0))
    _sense(b)
    b.key("up", qvel=(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0), ctrl=(1, 2, 3, 4, 5), act=(0.5, 0.6))
    return b


def _drone(b):
    drone = b.body("drone", pos=(0, 0, 1), quat=(1, 0.1, 0.2, 0.3))
    b.freejoint(drone, "drone")
    unseen = {"contype": 0, "conaffinity": 0}
    b.geom(drone, "hull", type="ellipsoid", size=(0.3, 0.2, 0.1), **unseen)
    b.geom(drone, "mast", type="cylinder", size=(0.05, 0.3), pos=(0.1, 0, 0.2), mass=1.5, **unseen)
    b.geom(drone, "ball", size=0.15, pos=(-0.2, 0.1, 0), solmix=3, solref=(0.05, 0.7), condim=1)
    b.site(drone, "imu", pos=(0.1, 0, 0))
    pod = b.body("pod", drone, pos=(0.1, 0.3, 0), euler=(0.3, 0, 0))
    b.geom(pod, "pod", type="capsule", size=(0.05, 0.1), solref=(-100, -5))
    arm = b.body("arm", pod, pos=(0, 0.1, 0))
    b.joint(arm, "shoulder", type="ball", pos=(0, 0, 0.05), damping=0.2, range=(0, 1.2), stiffness=3)
    b.joint(arm, "rail", type="slide", axis=(1, 1, 0), range=(-0.3, 0.3), springref=0.1, ref=0.05)
    b.inertial(arm, 2, pos=(0.1, 0, 0), fullinertia=(0.03, 0.04, 0.05, 0.001, 0.002, 0.003))
    b.geom(arm, "hand", type="sphere", size=0.07, pos=(0.3, 0, 0))
    b.body("tip", arm, pos=(0.3, 0, 0))


def _sense(b):
    b.sensor("jointpos", "q", objname="wheel")
    b.sensor("jointvel", objname="rail")
    b.sensor("framepos", objtype="site", objname="corner")
    b.sensor("framequat", objtype="body", objname="arm")
    b.sensor("framelinvel", objtype="xbody", objname="arm")
    b.sensor("frameangvel", objtype="geom", objname="hull")
    b.sensor("subtreecom", objname="drone")
    b.sensor("subtreelinvel", objname="drone")
    for kind in ("gyro", "velocimeter"):
        b.sensor(kind, objname="imu")
    b.sensor("accelerometer", objname="imu", cutoff=50)
    b.sensor("actuatorfrc", objname="p")
    b.sensor("touch", objname="imu")


def assert_same_model(a, b, atol=1e-9):
    """Every array, name, option and keyframe of two Models."""
    for name in FIELDS:
        close = 1e-7 if name.endswith("rgba") else atol  # MuJoCo keeps colours in single precision
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=close, rtol=1e-9, err_msg=name)
    for kind in ("body", "joint", "geom", "site", "actuator", "sensor", "key"):
        assert getattr(a, f"{kind}_names") == getattr(b, f"{kind}_names")
    for name, value in vars(a.opt).items():
        np.testing.assert_allclose(value, getattr(b.opt, name), atol=1e-12, err_msg=name)
    for name in ("key_qpos", "key_qvel", "key_act", "key_ctrl", "key_mpos", "key_mquat", "key_time"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=atol, err_msg=name)
    assert (a.na, a.nsensordata, a.name) == (b.na, b.nsensordata, b.name)
