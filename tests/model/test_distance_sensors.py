"""Sensors of distance, normal and nearest points on the host: built and refused."""

import pytest

from engine.model import ModelBuilder, ModelError, UnsupportedError, load
from tests.model.model_zoo import assert_same_model

XML = """<mujoco model="apart"><worldbody><geom name="floor" type="plane" size="1 1 1"/>
<body name="a" pos="0 0 1"><freejoint name="a"/><geom name="a" size=".1"/></body>
<body name="b" pos="0 0 2"><freejoint name="b"/><geom name="b" type="capsule" size=".1 .2"/></body></worldbody>
<sensor><distance geom1="a" geom2="floor" cutoff="1"/><normal body1="a" body2="b" cutoff="2"/>
<fromto name="f" body1="b" geom2="a" cutoff="3"/></sensor></mujoco>"""


def apart():
    b = ModelBuilder("apart")
    b.geom("world", "floor", type="plane", size=(1, 1, 1))
    for name, z, shape in (("a", 1, {"size": 0.1}), ("b", 2, {"type": "capsule", "size": (0.1, 0.2)})):
        b.body(name, pos=(0, 0, z))
        b.freejoint(name, name)
        b.geom(name, name, **shape)
    b.sensor("distance", objtype="geom", objname="a", reftype="geom", refname="floor", cutoff=1)
    b.sensor("normal", objtype="body", objname="a", reftype="body", refname="b", cutoff=2)
    b.sensor("fromto", "f", objtype="body", objname="b", reftype="geom", refname="a", cutoff=3)
    return b


def test_equals_the_mjcf():
    pytest.importorskip("mujoco")
    model = load(XML)
    assert_same_model(apart().compile(), model)
    assert model.sensor_dim.tolist() == [1, 3, 6]


def test_refuses_by_name():
    with pytest.raises(ModelError, match="'distance': reftype = None; allowed: geom, body, with a refname"):
        apart().sensor("distance", objtype="geom", objname="a")
    with pytest.raises(ModelError, match="'normal': objtype = 'site'; allowed: geom, body"):
        apart().sensor("normal", objtype="site", objname="a", reftype="geom", refname="b")
    b = apart()
    b.hfield("hills", elevation=[[0.0, 0.1], [0.2, 0.1]], size=(1, 1, 0.1, 0.1))
    b.geom("a", "ground", type="hfield", hfield="hills")
    with pytest.raises(UnsupportedError, match="sensor 1: normal of hfield; allowed: plane, sphere, capsule, ell"):
        b.compile()
    mujoco = pytest.importorskip("mujoco")
    text = XML.replace('type="capsule" size=".1 .2"', 'type="box" size=".1 .1 .2"')
    both = mujoco.MjModel.from_xml_string(text.replace('name="a" size=".1"', 'name="a" type="box" size=".1 .1 .1"'))
    both.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_NATIVECCD)
    with pytest.raises(UnsupportedError, match="flag nativeccd = disable"):
        load(both)
    model = apart().compile()
    model.sensor_refid[2] = -1
    import engine

    with pytest.raises(ModelError, match="sensor 'f': sensor_refid = -1; allowed"):
        engine.Simulator(model)
