"""MJCF of older MuJoCo: what was removed is left out and said, or read in the words of today."""

import numpy as np
import pytest

from engine.model import load

mujoco = pytest.importorskip("mujoco")


def robot(option="", compiler="", asset="", geom="", more=""):
    return (
        f"<mujoco><compiler {compiler}/><option {option[0] if option else ''}>{option[1] if option else ''}</option>"
        f"<asset><mesh name='m' vertex='0 0 0 1 0 0 0 1 0 0 0 1'/>{asset}</asset><worldbody><body><joint name='j' "
        f"stiffness='2' damping='3'/><geom size='.1' {geom}/></body></worldbody>{more}</mujoco>"
    )


OLD = [
    (robot(("apirate='100'", "")), "option apirate: no longer MJCF, left out"),
    (robot(("mpr_iterations='50'", "")), "option mpr_iterations"),
    (robot(("collision='all'", "")), "option collision = all"),
    (robot(("", "<flag sensornoise='enable'/>")), "flag sensornoise: no longer MJCF, left out, since sensors have"),
    (robot(("", "<flag passive='enable'/>")), "flag passive = enable"),
    (robot(compiler="convexhull='true'"), "compiler convexhull"),
    (robot(more="<visual><global treedepth='2'/></visual>"), "global treedepth"),
]


@pytest.mark.parametrize("text, words", OLD, ids=[words for _, words in OLD])
def test_what_was_removed_is_left_out(text, words, tmp_path):
    (tmp_path / "old.xml").write_text(text)
    plain = load(robot())
    for source in (text, tmp_path / "old.xml"):
        m = load(source)
        assert any(words in line for line in m.report.changed), m.report
        np.testing.assert_array_equal(m.dof_damping, plain.dof_damping)
        np.testing.assert_array_equal(m.body_inertia, plain.body_inertia)


def test_passive_forces_are_two_flags():
    m = load(robot(("", "<flag passive='disable'/>")))
    assert m.jnt_stiffness[0] == 0 and m.dof_damping[0] == 0


def test_exact_inertia_is_of_each_mesh():
    mesh = {"asset": "<mesh name='n' vertex='0 0 0 1 0 0 0 1 0 0 0 1 .3 .3 .1'/>", "geom": "type='mesh' mesh='n'"}
    exact = mesh | {"asset": mesh["asset"].replace("/>", " inertia='exact'/>")}
    m = load(robot(compiler="exactmeshinertia='true'", **mesh))
    np.testing.assert_array_equal(m.body_inertia, load(robot(**exact)).body_inertia)


def test_what_stands_in_included_files(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "options.xml").write_text("<mujoco><option apirate='3' timestep='0.001'/></mujoco>")
    (tmp_path / "hand.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    text = robot(("apirate='2'", ""), asset="<mesh name='n' file='hand.obj'/>", geom="type='mesh' mesh='n'",
                 more="<include file='parts/options.xml'/>")  # fmt: skip
    (tmp_path / "old.xml").write_text(text)
    m = load(tmp_path / "old.xml")
    assert m.opt.timestep == 0.001 and len(m.mesh_vert) == 2
    assert "option apirate, 2 times: no longer MJCF, left out, since nothing has read it" in m.report.changed
    given = {name: (tmp_path / name).read_bytes() for name in ("parts/options.xml", "hand.obj")}
    assert load(text, assets=given).opt.timestep == 0.001
    with pytest.raises(ValueError, match="Error opening file 'gone.xml'"):
        load(robot(("apirate='2'", ""), more="<include file='gone.xml'/>"))


def test_what_means_nothing_stays_mujocos_error():
    for option in ("apyrate='1'", "apirate='1' apyrate='1'", "collision='dynamic'"):
        text = robot((option, ""))
        with pytest.raises(ValueError, match="Schema violation"):
            load(text)


def test_wishes_for_an_old_file():
    m = load(robot(("apirate='1'", "")), actuators=True, floor=True)
    assert m.actuator_names == ["j"] and "floor" in m.geom_names
