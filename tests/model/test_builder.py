"""ModelBuilder: equals MuJoCo's compiler on the same robot, and refuses by name."""

import numpy as np
import pytest

from engine.model import ModelBuilder, ModelError, load
from tests.model.model_zoo import CHEETAH, MENAGERIE, assert_same_model, cheetah, menagerie

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize("xml, build", [(CHEETAH, cheetah), (MENAGERIE, menagerie)], ids=["cheetah", "menagerie"])
def test_equals_the_mjcf(xml, build):
    pytest.importorskip("mujoco")
    assert_same_model(build().compile(), load(xml))


def test_compiling_twice_gives_independent_equal_models():
    b = cheetah()
    first, second = b.compile(), b.compile()
    assert_same_model(first, second)
    first.body_mass[:] = 0
    first.opt.gravity[:] = 0
    assert second.body_mass.sum() == pytest.approx(14)
    assert b.compile().opt.gravity[2] == -9.81


def arm():
    b = ModelBuilder("arm")
    b.body("link")
    b.joint("link", "elbow")
    b.geom("link", "rod", type="capsule", size=(0.1, 0.2))
    b.site("link", "tip")
    return b


def snapshot(b):
    return repr({k: v for k, v in vars(b).items() if k != "option"}).replace("array", "")


REFUSED = [
    (lambda b: b.body("link"), "'link' exists"),
    (lambda b: b.body("x", parent="lnk"), "no body 'lnk'.*'link'"),
    (lambda b: b.body("x", pos=(1, 2)), "body 'x': pos = .*3 finite numbers"),
    (lambda b: b.body("x", quat=(0, 0, 0, 0)), "quat = .*not all zero"),
    (lambda b: b.body("x", quat=(1, 0, 0, 0), euler=(0, 0, 0)), "both quat and euler"),
    (lambda b: b.body(""), "allowed: a name"),
    (lambda b: b.joint("link", "elbow"), "joint 'elbow' exists"),
    (lambda b: b.joint("link", "j", type="screw"), "type = 'screw'.*free, ball, slide, hinge"),
    (lambda b: b.joint("link", "j", dampin=1), "unknown attribute 'dampin'.*damping"),
    (lambda b: b.joint("link", "j", damping=-1), "joint 'j'.*damping = -1"),
    (lambda b: b.joint("link", "j", axis=(0, 0, 0)), "axis = "),
    (lambda b: b.joint("link", "j", range=(1, -1)), "range = "),
    (lambda b: b.joint("link", "j", limited=True), "limited = True without range"),
    (lambda b: b.joint("world", "j"), "other than the world"),
    (lambda b: b.joint("link", 3), "allowed: a string"),
    (lambda b: b.geom("link", "g", size=0.1, mass=-1), "geom 'g'.*mass = -1"),
    (lambda b: b.geom("link", "g", type="box", size=(1, 2)), "size = .*3 positive"),
    (lambda b: b.geom("link", "g"), "size = .*1 positive"),
    (lambda b: b.geom("link", "g", size=0.1, friction=float("nan")), "friction = nan"),
    (lambda b: b.geom("link", "g", size=0.1, condim=2), "condim = 2; allowed: 1, 3, 4, 6"),
    (lambda b: b.geom("link", "g", fromto=(0, 0, 0, 0, 0, 1), size=0.1), "fromto with type sphere"),
    (lambda b: b.geom("link", "g", type="capsule", fromto=(0,) * 6, size=0.1), "two different points"),
    (lambda b: b.geom("link", "g", type="capsule", fromto=(0, 0, 0, 0, 0, 1), size=0.1, pos=(0, 0, 1)), "fromto and"),
    (lambda b: b.site("link", "tip"), "site 'tip' exists"),
    (lambda b: b.site("link", "s", type="plane"), "type = 'plane'"),
    (lambda b: b.inertial("link", 1), "one of diaginertia, fullinertia"),
    (lambda b: b.inertial("link", -1, diaginertia=(1, 1, 1)), "mass = -1"),
    (lambda b: b.inertial("link", 1, diaginertia=(-1, 1, 1)), "moments of inertia"),
    (lambda b: b.motor("knee"), "no joint 'knee'.*'elbow'"),
    (lambda b: b.motor("elbow", gear=()), "gear = "),
    (lambda b: b.motor("elbow", ctrllimited=True), "ctrllimited = True without ctrlrange"),
    (lambda b: b.general("elbow", dyntype="muscle"), "dyntype = 'muscle'"),
    (lambda b: b.general("elbow", dyntype="filter", dynprm=0), "time constant"),
    (lambda b: b.position("elbow", kp=-1), "kp = -1"),
    (lambda b: b.sensor("tactile", objname="tip"), "type 'tactile'.*jointpos"),
    (lambda b: b.sensor("framepos", objname="tip"), "objtype = None.*body, xbody, geom, site"),
    (lambda b: b.sensor("clock", objname="tip"), "sensor 'clock': objname = 'tip'; allowed: none"),
    (lambda b: b.sensor("gyro", objname="tip", reftype="body", refname="link"), "reftype = 'body'; allowed: none"),
    (lambda b: b.sensor("framepos", objtype="site", objname="tip", refname="link"), "reftype = None; allowed: body"),
    (lambda b: b.sensor("framequat", objtype="site", objname="tip", cutoff=1), "cutoff = 1; allowed: 0"),
    (lambda b: b.sensor("ballquat", objname="elbow"), "joint 'elbow' is hinge; allowed: ball"),
    (lambda b: b.sensor("jointlimitpos", objname="elbow"), "joint 'elbow' has no limit"),
    (lambda b: b.sensor("contact", data="dist found"), "data = 'dist found'; allowed: some of found, .* in this order"),
    (lambda b: b.sensor("contact", reduce="sum"), "reduce = 'sum'; allowed: none, mindist, maxforce, netforce"),
    (lambda b: b.sensor("contact", num=0), "num = 0; allowed"),
    (lambda b: b.sensor("contact", reduce="netforce", num=2), "allowed with netforce: 1"),
    (lambda b: b.sensor("contact", reftype="site", refname="tip"), "reftype = 'site'; allowed: none, geom, body"),
    (lambda b: b.sensor("gyro", objname="top"), "no site 'top'.*'tip'"),
    (lambda b: b.pair("rod", "rod"), "two different geoms"),
    (lambda b: b.exclude("link", "lin"), "no body 'lin'"),
    (lambda b: b.default("body", pos=(0, 0, 0)), "default 'body'.*joint, geom, site, tendon"),
    (lambda b: b.default("joint", armature="x"), "armature = 'x'"),
]


@pytest.mark.parametrize("call, message", REFUSED)
def test_refuses_by_name_and_stays_as_it_was(call, message):
    b = arm()
    before = snapshot(b)
    with pytest.raises(ModelError, match=message):
        call(b)
    assert snapshot(b) == before


@pytest.mark.parametrize(
    "option, message",
    [
        ({"integrator": "verlet"}, "integrator = 'verlet'.*Euler, RK4, implicit, implicitfast, discrete"),
        ({"timstep": 1}, "unknown attribute 'timstep'"),
        ({"settotalmass": -1}, "settotalmass = -1"),
        ({"gravity": 9.81}, "gravity = 9.81"),
    ],
)
def test_refuses_options(option, message):
    with pytest.raises(ModelError, match=message):
        ModelBuilder("x", **option)


def test_compile_refuses_what_only_the_whole_shows():
    massless = ModelBuilder("massless")
    massless.body("ghost")
    massless.joint("ghost", "j")
    with pytest.raises(ModelError, match="body 'ghost' has a joint, mass 0.0"):
        massless.compile()
    floating = arm()
    floating.body("hand", "link")
    floating.freejoint("hand", "free")
    floating.geom("hand", size=0.1)
    with pytest.raises(ModelError, match="joint 'free' is free in body 'hand'"):
        floating.compile()
    flat = arm()
    flat.geom("link", "board", type="plane", size=(1, 1, 1))
    with pytest.raises(ModelError, match="geom 'board' is a plane on body 'link'"):
        flat.compile()
    b = arm()
    b.key("home", qpos=(1, 2))
    with pytest.raises(ModelError, match=r"key 'home': qpos has shape \(2,\); allowed: \(1,\)"):
        b.compile()
    slow = ModelBuilder("slow", timestep=0)
    with pytest.raises(ModelError, match="timestep = 0"):
        slow.compile()


def test_pairs_of_excluded_bodies_are_left_out():
    b = arm()
    b.geom("world", "log", type="cylinder", size=(0.1, 1))
    assert b.compile().npair == 1
    b.exclude("world", "link")
    assert b.compile().npair == 0


def test_builds_a_model_without_anything_that_moves():
    m = ModelBuilder("empty").compile()
    assert (m.nq, m.nv, m.nbody, m.ngeom, m.npair) == (0, 0, 1, 0, 0)


def test_lookup_by_name():
    m = arm().compile()
    assert (m.body("link"), m.joint("elbow"), m.geom("rod"), m.site("tip")) == (1, 0, 0, 0)
    with pytest.raises(ModelError, match="arm has no joint 'knee'; it has: 'elbow'"):
        m.joint("knee")
    with pytest.raises(ModelError, match="none has a name"):
        m.sensor("")
    assert "njnt" in vars(m) and np.shares_memory(m.body_mass, m.copy().body_mass) is False
