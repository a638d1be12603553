import numpy as np
import pytest

from edge_agent.detection.covariance import WhiteNoise, blend, noise_scatter, shrink, shrinkage_to_diagonal
from edge_agent.detection.statistics import shape
from edge_agent.signal.logmel import log_mel_db
from tests.detection import sounds


@pytest.mark.parametrize("samples", [12, 30, 1000])
def test_uncorrelated_data_give_up_all_correlations(samples: int) -> None:
    data = np.random.default_rng(samples).normal(size=(samples, 40)) * np.linspace(1, 9, 40)
    assert shrinkage_to_diagonal(data - data.mean(0)) >= 0.7


def test_strong_correlations_are_kept_and_more_so_with_more_data() -> None:
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(n, 1)) * np.ones(40) + 0.3 * rng.normal(size=(n, 40)) for n in (10, 300)]
    few, many = (shrinkage_to_diagonal(v - v.mean(0)) for v in values)
    assert many < few < 0.3


def test_shrinking_keeps_variances_and_makes_a_singular_matrix_positive() -> None:
    covariance = np.ones((5, 5))
    shrunk = shrink(covariance, 0.2)
    assert np.array_equal(np.diag(shrunk), np.ones(5)) and shrunk[0, 1] == pytest.approx(0.8)
    assert np.linalg.eigvalsh(shrunk)[0] > 0.1


def test_blending_moves_from_the_prior_to_the_machines_own() -> None:
    rng = np.random.default_rng(0)
    prior = np.eye(3)
    truth = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = [blend(prior, 20.0, rng.multivariate_normal(np.zeros(3), truth, n), 1)[0, 1] for n in (2, 20, 2000)]
    assert abs(found[0]) < 0.2 < found[1] < found[2] and found[2] == pytest.approx(0.8, abs=0.08)


def test_the_prior_takes_the_machines_scale() -> None:
    quiet = 0.1 * np.random.default_rng(0).normal(size=(60, 4))
    assert np.trace(blend(np.eye(4), 30.0, quiet, 1)) < 0.5


def test_white_noise_looks_as_real_noise_does() -> None:
    samples = (0.1 * np.random.default_rng(0).standard_normal(160_000)).astype(np.float32)
    real = log_mel_db(samples)
    nothing = np.full_like(real, -100.0)
    power_db = 10 * np.log10((10 ** (real / 10)).mean())
    made = WhiteNoise(len(real), np.random.default_rng(1)).added_to(nothing, -200.0)
    made -= 10 * np.log10((10 ** (made / 10)).mean()) - power_db
    assert np.abs(made.mean(0) - real.mean(0)).max() < 1.0
    assert made.std(0).mean() == pytest.approx(real.std(0).mean(), rel=0.15)


@pytest.mark.parametrize("snr_db", [0.0, 20.0])
def test_noise_is_added_at_the_stated_level(snr_db: float) -> None:
    window = np.full((311, 128), -40.0, np.float32) + 10 * np.log10(WhiteNoise(1, np.random.default_rng(0))._area)
    louder = WhiteNoise(311, np.random.default_rng(0)).added_to(window.astype(np.float32), snr_db)
    rise = 10 ** (louder.mean() / 10) / 10 ** (window.mean() / 10)
    assert rise == pytest.approx(1 + 10 ** (-snr_db / 10), rel=0.1)


def test_scatter_points_where_noise_moves_the_statistic() -> None:
    windows = [sounds.window(k).log_mel_db for k in range(4)]
    scatter = noise_scatter(windows, shape, np.random.default_rng(0), align=False)
    noisy = shape(WhiteNoise(311, np.random.default_rng(5)).added_to(windows[0], 25.0)) - shape(windows[0])
    noisy /= np.linalg.norm(noisy)
    assert noisy @ scatter @ noisy > 0.7 * np.linalg.eigvalsh(scatter)[-1]
