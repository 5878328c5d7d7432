"""A policy without torch: what it refuses, its file, its ONNX twin."""

import numpy as np
import pytest

from controllers.training.policy import Policy


def policy(activation="elu", norm=True, seed=0):
    rng, sizes = np.random.default_rng(seed), (7, 12, 9, 3)
    arrays = {"mean": rng.normal(size=7), "std": rng.uniform(0.5, 2.0, 7)}
    for k, (n, rows) in enumerate(zip(sizes[:-1], sizes[1:], strict=True), 1):
        arrays |= {f"W{k}": rng.normal(size=(rows, n)), f"b{k}": rng.normal(size=rows)}
        if norm and k < 3:
            arrays |= {f"g{k}": rng.normal(size=rows), f"c{k}": rng.normal(size=rows)}
    return Policy(arrays, {"activation": activation, "observation": [["joints", 4], ["told", 3]], "task": "run"})


def test_a_policy_is_the_network_of_its_formula():
    """By hand, one observation, one layer after the other."""
    p, o = policy(), np.random.default_rng(1).normal(size=7) * 30
    a, x = p.arrays(), np.clip((o - p.mean) / p.std, -10, 10)
    assert np.abs((o - p.mean) / p.std).max() > 10
    for k in (1, 2):
        x = a[f"W{k}"] @ x + a[f"b{k}"]
        x = np.array([v if v > 0 else np.exp(v) - 1 for v in x])
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * a[f"g{k}"] + a[f"c{k}"]
    np.testing.assert_allclose(p(o), a["W3"] @ x + a["b3"], rtol=1e-12)
    np.testing.assert_array_equal(p(np.stack([o, o]))[1], p(np.stack([o, 0 * o]))[0])


def test_a_policy_is_read_back(tmp_path):
    p = policy("tanh", norm=False)
    p.save(tmp_path / "p.npz")
    again, o = Policy.load(tmp_path / "p.npz"), np.random.default_rng(2).normal(size=(5, 7))
    np.testing.assert_array_equal(again(o), p(o))
    assert again.spec == {"format": 1, **p.spec}


@pytest.mark.parametrize("change, said", [
    ({"W2": np.zeros((9, 5))}, "W2"), ({"b1": np.zeros(3)}, "b1"), ({"std": np.zeros(3)}, "std"),
    ({"g1": np.zeros(3)}, "g1"), ({"mean": np.full(7, np.nan)}, "mean"),
])  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        Policy(policy().arrays() | change, policy().spec)


def test_files_and_specs_that_mean_nothing_are_refused(tmp_path):
    p = policy()
    for spec, said in (({"activation": "relu"}, "elu, tanh"), ({"observation": [["joints", 3]]}, "7")):
        with pytest.raises(ValueError, match=said):
            Policy(p.arrays(), p.spec | spec)
    p.spec["format"] = 9
    p.save(tmp_path / "p.npz")
    with pytest.raises(ValueError, match="p.npz.*format: got 9"):
        Policy.load(tmp_path / "p.npz")
    (tmp_path / "p.npz").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="p.npz"):
        Policy.load(tmp_path / "p.npz")


@pytest.mark.parametrize("activation, norm", [("elu", True), ("tanh", False)])
def test_onnx_is_the_same_policy(activation, norm, tmp_path):
    onnx = pytest.importorskip("onnx", reason='needs onnx: pip install "pullback[onnx]"')
    from onnx.reference import ReferenceEvaluator

    p = policy(activation, norm)
    p.to_onnx(tmp_path / "p.onnx")
    o = np.random.default_rng(3).normal(size=(6, 7)) * 8
    model = onnx.load(tmp_path / "p.onnx")
    (found,) = ReferenceEvaluator(model).run(None, {"observation": o})
    np.testing.assert_allclose(found, p(o), rtol=0, atol=1e-6)
    (spec,) = [x.value for x in model.metadata_props if x.key == "pullback"]
    assert '"observation": [["joints", 4], ["told", 3]]' in spec
