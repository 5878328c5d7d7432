"""The search over seeds: its result depends on nothing but its arguments, whatever dies or stops."""

import os

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason='needs Ray: pip install "pullback[ray]"')

from engine.population import population  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def shut_down():
    yield
    ray.shutdown()


def climber():
    """A member is a number; it climbs the nearest of two hills, the one at 3 the higher, and copies are disturbed."""

    def start(rng):
        return {"x": rng.uniform(-6, 6), "pids": []}

    def improve(state, rng):
        x = state["x"] + 0.1 * rng.normal()
        height = lambda x: np.exp(-np.square(x - 3)) + 0.5 * np.exp(-np.square(x + 3))  # noqa: E731
        for _ in range(20):
            x += 0.2 * (height(x + 1e-4) - height(x - 1e-4)) / 2e-4
        return {"x": x, "pids": [*state["pids"], os.getpid()]}, height(x)

    return start, improve


def test_the_best_take_over():
    start, improve = climber()
    seen = []
    found = population(start, improve, range(8), 6, replace=0.5, report=lambda k, scores: seen.append(scores))
    assert found.state["x"] == pytest.approx(3, abs=0.1) and found.score > 0.99
    assert found.scores.shape == (6, 8) and np.array_equal(found.scores, seen)
    assert found.score == found.scores.max()
    assert (found.scores[0] > 0.9).sum() < 8 and (found.scores[-1] > 0.9).all()  # all end on the higher hill
    alone = population(start, improve, range(8), 6, replace=0.0)
    assert (alone.scores[-1] > 0.9).sum() < 8  # which is not what each would have done by itself


def test_stopping_and_dying_change_nothing(tmp_path):
    start, improve = climber()
    whole = population(start, improve, range(4), 4)
    population(start, improve, range(4), 2, folder=tmp_path)
    mark = str(tmp_path / "died")

    def deadly(state, rng):
        if not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), 9)
        return improve(state, rng)

    resumed = population(start, deadly, range(4), 4, folder=tmp_path)
    assert os.path.exists(mark)
    np.testing.assert_array_equal(resumed.scores, whole.scores)
    assert (resumed.state["x"], resumed.score, resumed.seed) == (whole.state["x"], whole.score, whole.seed)
    assert len(resumed.state["pids"]) >= 1 and os.getpid() not in resumed.state["pids"]
    with pytest.raises(ValueError, match="it was made with"):
        population(start, improve, range(5), 4, folder=tmp_path)


def test_bad_input_is_named():
    start, improve = climber()
    bad = [({"seeds": []}, "seeds"), ({"seeds": [1, 1]}, "seeds"), ({"replace": 0.9}, "replace")]
    bad += [({"rounds": rounds}, "rounds: got") for rounds in (0, -1, 2.5, None)]
    for arguments, named in bad:
        with pytest.raises(ValueError, match=named):
            population(start, improve, **{"seeds": range(2), "rounds": 1, **arguments})
    with pytest.raises(ValueError, match="score nan"):
        population(start, lambda state, rng: (state, np.nan), range(2), 1)
