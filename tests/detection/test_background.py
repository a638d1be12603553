import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.detection.background import Background
from edge_agent.signal.logmel import log_mel_db
from tests.detection import sounds


@given(seed=st.integers(0, 10_000), snr_db=st.floats(0.0, 30.0), frames=st.integers(32, 311))
@settings(max_examples=25, deadline=None)
def test_power_is_only_added_and_as_much_as_asked(seed: int, snr_db: float, frames: int) -> None:
    window = sounds.window(seed, frames=frames).log_mel_db
    changed = Background(np.random.default_rng(seed)).added_to(window, snr_db)
    assert changed.shape == window.shape and changed.dtype == np.float32
    assert np.isfinite(changed).all() and (changed >= window - 1e-3).all()


def test_the_ratio_is_that_of_powers_over_all_frequencies() -> None:
    """Two sounds made of samples at a known ratio: the same ratio of log-mel frames raises bands by as much."""
    rng = np.random.default_rng(3)
    machine, noise = rng.normal(0.0, 0.1, (2, 160_000)).astype(np.float32)
    clean = log_mel_db(machine)
    true_rise = (log_mel_db(machine + np.float32(10.0 ** (-12.0 / 20.0)) * noise) - clean).mean()
    background = Background(rng)
    rises = [(background.added_to(clean, 12.0) - clean).astype(np.float64) for _ in range(200)]
    added = np.mean([10.0 ** (rise / 10.0) - 1.0 for rise in rises])  # of white noise, relative to each band
    assert 0.2 < true_rise < 0.4
    assert added > 10.0 ** (-1.2)  # coloured noise of that power adds no less than white in some bands


def test_backgrounds_differ_in_colour_and_course() -> None:
    background = Background(np.random.default_rng(5))
    silence = np.full((311, 128), -90.0, np.float32)
    copies = [background.added_to(silence, -60.0).astype(np.float64) for _ in range(20)]
    spectra = np.array([copy.mean(axis=0) - copy.mean() for copy in copies])
    courses = np.array([copy.mean(axis=1).std() for copy in copies])
    assert spectra.std(axis=0).mean() > 4.0
    assert courses.min() < 1.0 and courses.max() > 5.0


def test_the_same_seed_gives_the_same_backgrounds() -> None:
    window = sounds.window(1).log_mel_db
    first, second = (Background(np.random.default_rng(9)).added_to(window) for _ in range(2))
    assert np.array_equal(first, second)
