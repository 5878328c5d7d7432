"""The cart with two masses: with a tiny budget, both ways of placing them are found."""

import pytest

from demos import posterior_masses


@pytest.mark.slow
def test_both_robots_are_found(tmp_path, capsys):
    laplace, chains, particles = posterior_masses.main(tmp_path / "masses.png", 20)
    assert len(laplace.modes) == 2 and abs(laplace.weights[0] - 0.5) < 0.01
    for draws in (chains, particles):
        lighter = (draws.numbers[..., 0] < draws.numbers[..., 1]).mean()
        assert 0.1 < lighter < 0.9, draws.how
        assert abs(draws.numbers.min(axis=-1).mean() - posterior_masses.TRUTH[0]) < 4 * laplace.sd.min()
    assert "several modes" in capsys.readouterr().out and (tmp_path / "masses.png").stat().st_size > 20_000
