"""The tutorials' code keeps the contracts that the tutorials speak of."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.capture.source import Source
from edge_agent.detection.detector import Detector
from edge_agent.detection.prior import DetectorPrior
from tests.capture.contract import CHECKS, MakeSource
from tests.detection import sounds, test_contract
from tests.docs.pages import code_of


@pytest.fixture(scope="module")
def detector() -> Detector:
    kind: type[Detector] = code_of("tutorials/write-a-detector.md").PeaksDetector
    prior = DetectorPrior(weight=1.0, covariance=None, strength=50.0)
    fitted = kind.fit(test_contract.training(), prior, np.random.default_rng(3))
    assert fitted is not None
    return fitted


def test_the_detector_scores_faults_above_normals(detector: Detector) -> None:
    test_contract.test_faults_score_above_every_normal_window(detector)


@pytest.mark.parametrize("gain_db", [-20.0, 6.0])
def test_gain_changes_nothing(detector: Detector, gain_db: float) -> None:
    test_contract.test_gain_changes_nothing(detector, gain_db)


@pytest.mark.parametrize(
    "check",
    [
        test_contract.test_contributions_sum_to_the_score,
        test_contract.test_saved_and_loaded_scores_are_equal_to_the_last_bit,
    ],
)
def test_the_detector_keeps_the_contract(detector: Detector, check: Callable[[Detector], None]) -> None:
    check(detector)


def test_the_detector_hears_bursts_that_the_mean_hides(detector: Detector) -> None:
    normal = [test_contract.score(detector, sounds.window(200 + k)) for k in range(20)]
    frames = sounds.window(300).log_mel_db.copy()
    frames[::12, 64:72] += 18.0
    frames[:, 64:72] -= 1.5  # the mean stays where it was
    assert test_contract.score(detector, sounds.features(frames, sounds.window(300).embeddings)) > max(normal)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A named pipe that somebody writes to for as long as the test lasts."""
    path = tmp_path / "samples"
    os.mkfifo(path)
    keeper = os.open(path, os.O_RDWR)  # so that neither end waits for the other
    ended = threading.Event()
    samples = (8000 * np.sin(np.arange(1600) / 5)).astype("<i2").tobytes()

    def write() -> None:
        writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        while not ended.wait(0.01):
            try:
                os.write(writer, samples)
            except BlockingIOError:
                continue
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    yield path
    ended.set()
    thread.join()
    os.close(keeper)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_source_keeps_the_contract(check: Callable[[MakeSource], None], pipe: Path) -> None:
    kind: Callable[..., Source] = code_of("tutorials/write-a-source.md").PipeSource
    check(lambda: kind("logger-1", pipe, 16_000))
