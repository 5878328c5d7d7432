"""All inertial numbers of bodies: always possible, exact slopes where moments are the same, and what motion tells."""

import json

import mujoco
import numpy as np
import pytest

import engine
from engine.identify import Problem, Unknown, fit
from engine.identify.inertial import MOMENTS, Inertial, physical, six_of, symmetric
from engine.model.rotation import quat_mul, quat_to_mat

from . import three_links
from .test_jacobian import BAR, worst_column
from .twin import BALL, arm, random_log

LAW = Inertial()


def whole(entries):
    """Mass, centre and inertia about it (10,) that entries of theta make."""
    R = quat_to_mat(entries[7:] / np.linalg.norm(entries[7:]))
    return np.concatenate([entries[:4], six_of((R * entries[4:7]) @ R.T)])


def made(p):
    """The same of ten numbers."""
    mass, c, sigma, _ = physical(p)
    return np.concatenate([[mass], c, six_of(np.trace(sigma) * np.eye(3) - sigma)])


def bodies():
    """A Model with a body of three unlike moments, a rod, a ball and a thin rod across all axes."""
    xml = """<mujoco><worldbody>
     <body name="any"><freejoint/><inertial pos=".1 -.2 .05" mass="2" fullinertia=".03 .05 .04 .004 -.006 .002"/></body>
     <body name="rod"><freejoint/><geom type="capsule" size=".02" fromto="0 0 0 .3 0 0"/></body>
     <body name="ball"><freejoint/><geom size=".1" pos="0 .3 0"/></body>
     <body name="thin"><freejoint/><geom type="capsule" size="1e-5" fromto="0 0 0 .2 .3 .1" mass="1"/></body>
    </worldbody></mujoco>"""
    return engine.load(mujoco.MjModel.from_xml_string(xml))


def test_ten_numbers_make_a_body_and_are_made_of_it():
    """There and back; any numbers are possible; the slope is that of mass, centre and inertia, also of a ball, whose
    axes have none; `linear` slopes are those by moments."""
    model, rng = bodies(), np.random.default_rng(0)
    for name in ("any", "rod", "ball", "thin"):
        body = model.body_names.index(name)
        began = np.array([value for value, *_ in LAW.begin(model, body)])
        there = np.concatenate([[model.body_mass[body]], model.body_ipos[body], model.body_inertia[body],
                                model.body_iquat[body]])  # fmt: skip
        assert np.abs(whole(LAW.values(began, model, body)[0]) - whole(there)).max() < 1e-7 * there[:7].max()
        if name == "thin":
            continue
        for p in (began, began + 0.5 * rng.normal(size=10)):
            entries, slope = LAW.values(p, model, body)
            assert np.abs(whole(entries) - made(p)).max() < 1e-7 * np.abs(made(p)).max()
            linear = LAW.values(p, model, body, linear=True)[1]
            for k in range(10):
                h = 1e-5 * np.eye(10)[k]
                found = (made(p + h) - made(p - h)) / 2e-5
                moved = linear @ (LAW.moments(p + h) - LAW.moments(p - h)) / 2e-5
                for by in (slope[:, k], moved):
                    assert np.abs(whole_slope(entries, by) - found).max() < 1e-6 * max(np.abs(found).max(), 1e-3)


def whole_slope(entries, slope):
    """d(whole) of a d(entries): a step dq along a quaternion turns by twice q* dq about the frame's own axes."""
    q, moments = entries[7:], entries[4:7]
    R, phi = quat_to_mat(q), 2 * quat_mul(q * (1, -1, -1, -1), slope[7:])[1:]
    turned = np.cross(phi, np.eye(3)).T @ np.diag(moments)  # [phi]x moments
    return np.concatenate([slope[:4], six_of(R @ (np.diag(slope[4:7]) + turned + turned.T) @ R.T)])


@pytest.mark.parametrize("scale", (0.1, 1.0, 5.0))
def test_any_numbers_are_possible(scale):
    model, rng = bodies(), np.random.default_rng(1)
    for _ in range(50):
        p = scale * rng.normal(size=10)
        mass, *_ = entries = LAW.values(p, model, 1)[0]
        moments = np.sort(entries[4:7])
        assert mass > 0 and moments[0] > 0 and moments[0] + moments[1] > moments[2] * (1 - 1e-12)
        pseudo = np.zeros((4, 4))
        m, c, sigma, _ = physical(p)
        pseudo[:3, :3], pseudo[:3, 3], pseudo[3, :3], pseudo[3, 3] = sigma + m * np.outer(c, c), m * c, m * c, m
        assert np.linalg.eigvalsh(pseudo)[0] > -1e-12 * np.trace(pseudo)
        about = symmetric(LAW.moments(p)[4:])
        assert np.allclose(about, np.trace(pseudo[:3, :3]) * np.eye(3) - pseudo[:3, :3])


def test_columns_of_whole_inertias():
    """Of a capsule, two of whose moments are the same, and of a ball that swings, three; against differences."""
    unknowns = ["inertial:lower", "inertial:swing", "dof_armature:elbow"]
    problem = Problem(engine.load(arm(more=BALL)), random_log(), unknowns, window=0.2, noise=1.0, hold="linear")
    name, error = worst_column(problem)
    assert error < BAR, name


@pytest.fixture(scope="module")
def arm_of_three():
    return three_links.measured(seed=3)


@pytest.fixture(scope="module")
def found(arm_of_three):
    model, log, _ = arm_of_three
    asked, seen = Inertial.values, []

    def watched(self, *args, **more):
        value, slope = asked(self, *args, **more)
        seen.append(value)
        return value, slope

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Inertial, "values", watched)
        fitted = fit(model, log, ["inertial:*"], window=0.5, noise=1e-4)
    return fitted, np.array(seen)


def errors(fitted, truth):
    """What combinations of a Fit miss, in standard deviations."""
    true = {f"{m} of {link}": x for link in truth
            for m, x in zip(MOMENTS, Inertial.moments(truth[link]), strict=True)}  # fmt: skip
    return [(c.value - sum(x * true[n] for n, x in c.coefficients.items())) / c.sd for c in fitted.combinations]


def test_what_motion_tells_is_found(arm_of_three, found):
    """The fifteen base parameters of three links, each within its interval or nearly; what has no effect stays."""
    fitted, truth = found[0], arm_of_three[2]
    assert fitted.converged and fitted.runs < 1.2 and all(abs(rms / 1e-4 - 1) < 0.1 for rms, _ in fitted.after.values())
    assert len(fitted.combinations) == 15 and np.abs(errors(fitted, truth)).max() < 3.5
    assert all(c.sd < 0.02 * c.scale for c in fitted.combinations)
    base = fitted.names.index("inertial:base.log mass")  # it turns about an axis through its centre
    assert np.array_equal(fitted.values[base : base + 4], fitted.guess[base : base + 4]) and fitted.sd[base] > 0.9
    assert any(set(c.coefficients) >= {"m x of upper", "m of lower"} for c in fitted.combinations)
    assert not fitted.unknown and "15 combinations of these 30 numbers" in str(fitted)


def test_the_search_sees_only_bodies_that_can_exist(found):
    seen = found[1]
    moments = np.sort(seen[:, 4:7], axis=1)
    assert len(seen) > 30 and (seen[:, 0] > 0).all() and (moments[:, 0] > 0).all()
    assert (moments[:, 0] + moments[:, 1] > moments[:, 2]).all()


def test_the_robot_found_is_written(found, tmp_path):
    """As MJCF that MuJoCo reads, with the same inertia."""
    fitted = found[0]
    fitted.save(tmp_path)
    mj = mujoco.MjModel.from_xml_path(str(tmp_path / "fitted.xml"))
    written = json.loads((tmp_path / "fit.json").read_text())
    for body in fitted.bodies:
        b = mj.body(body.name).id
        entries = np.concatenate([[mj.body_mass[b]], mj.body_ipos[b], mj.body_inertia[b], mj.body_iquat[b]])
        assert np.abs(whole(entries) - body.value).max() < 1e-6 * np.abs(body.value).max()
    assert [c["value"] for c in written["combinations"]] == [c.value for c in fitted.combinations]


def test_armature_is_told_in_the_sum_alone():
    """Of a rotor and the inertia about its axis only the sum is known, and the combinations say so."""
    model, log, _ = three_links.measured(seconds=2.0, size=0.0)
    fitted = fit(model, log, ["inertial:base", "dof_armature:yaw"], window=0.5, noise=1e-4, iterations=3, held_out=0)
    led = [c for c in fitted.combinations if "Izz of base" in c.coefficients]
    assert led and "dof_armature:yaw" in led[0].coefficients
    assert abs(led[0].coefficients["dof_armature:yaw"] / led[0].coefficients["Izz of base"] - 1) < 1e-3
    assert "dof_armature:yaw is known not at all" in " ".join(fitted.unknown)


@pytest.mark.parametrize("more", ({"tied": True}, {"guess": 1.0}, {"low": 0.0}, {"prior": (1.0, 0.1)}))
def test_what_a_body_cannot_be_given(more):
    with pytest.raises(ValueError, match="is 10 numbers for each body, which take no tie"):
        Problem(engine.load(arm()), random_log(), [Unknown("inertial:lower", **more)], window=0.2)
    for pattern, words in (("inertial:lower[2]", "take no tie"), ("inertial:low", "fits nothing")):
        with pytest.raises(ValueError, match=words):
            Problem(engine.load(arm()), random_log(), [pattern], window=0.2)


@pytest.mark.slow
def test_intervals_of_combinations_hold_the_truth():
    """Of eight arms."""
    off = []
    for seed in range(10, 18):
        model, log, truth = three_links.measured(seed=seed, size=0.15)
        fitted = fit(model, log, ["inertial:*"], window=0.25, noise=1e-4)
        assert fitted.converged
        off += errors(fitted, truth)
    assert len(off) == 120 and 0.89 < np.mean(np.abs(off) < 1.96) and 0.85 < np.std(off) < 1.25
