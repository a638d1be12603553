from dataclasses import replace

import numpy as np
import pytest

from benchmarks.detection import input_health
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.input_health import InputBaseline, check_input
from edge_agent.detection.verdict import HealthCode
from edge_agent.signal.level import InputMeter, LevelReading
from edge_agent.signal.logmel import log_mel_db
from tests.support.agent import RECORDINGS, needs_recordings

RATE_HZ = 16_000
NOTHING = np.zeros((0, 1), np.float32)
TIME_S = np.arange(10 * RATE_HZ) / RATE_HZ


def machine(seed: int, gain: float = 1.0) -> np.ndarray:
    """Ten seconds of a pump-like sound: harmonics of 145 Hz and noise over all frequencies."""
    rng = np.random.default_rng(seed)
    tones = sum(0.05 / k * np.sin(2 * np.pi * 145 * k * TIME_S + rng.uniform(0, 6)) for k in range(1, 20))
    return np.asarray(gain * (tones + 0.02 * rng.standard_normal(len(TIME_S))), dtype=np.float32)


def heard(samples: np.ndarray) -> tuple[WindowFeatures, LevelReading]:
    samples = (np.round(np.clip(samples, -1, 1) * 32767) / 32768).astype(np.float32)  # as a 16-bit converter gives it
    meter = InputMeter(RATE_HZ, keep_s=11)
    meter.push(samples)
    level = meter.reading(0, len(samples))
    assert level is not None
    return WindowFeatures(log_mel_db(samples), NOTHING, NOTHING), level


@pytest.fixture(scope="module")
def baseline() -> InputBaseline:
    pairs = [heard(machine(seed)) for seed in range(6)]
    return InputBaseline.fit([window for window, _ in pairs], [level for _, level in pairs])


def low_pass(samples: np.ndarray, corner_hz: float) -> np.ndarray:
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    return np.fft.irfft(spectrum / np.sqrt(1 + (frequency / corner_hz) ** 6), len(samples))


def hum(level: float) -> np.ndarray:
    return level * sum(np.sin(2 * np.pi * 50 * k * TIME_S) / k for k in range(1, 5))


def frozen_after_a_second(samples: np.ndarray) -> np.ndarray:
    held = samples.copy()
    held[1600:] = held[1600]
    return held


FAULTS = {
    "dead": (np.zeros_like, HealthCode.DEAD, True),
    "frozen at a level": (lambda s: np.full_like(s, 0.25), HealthCode.FROZEN, True),
    "frozen later": (frozen_after_a_second, HealthCode.FROZEN, True),
    "unplugged": (lambda s: 1e-4 * np.random.default_rng(0).standard_normal(len(s)), HealthCode.UNPLUGGED, True),
    "stopped": (lambda s: 0.05 * s, HealthCode.STOPPED, True),
    "clipped": (lambda s: 20 * s, HealthCode.CLIPPED, False),
    "DC offset": (lambda s: s + 0.2, HealthCode.DC_OFFSET, False),
    "frozen bits": (lambda s: np.round(s * 64) / 64 * (32768 / 32767), HealthCode.FROZEN_BITS, False),
    "muffled": (lambda s: low_pass(s, 700.0), HealthCode.MUFFLED, False),
    "mains hum": (lambda s: s + hum(0.3), HealthCode.HUM, False),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_and_named(name: str, baseline: InputBaseline) -> None:
    change, code, blocking = FAULTS[name]
    findings = check_input(*heard(change(machine(50))), baseline)
    assert code in {finding.code for finding in findings}, findings
    assert next(finding for finding in findings if finding.code is code).blocking is blocking


@pytest.mark.parametrize("name", ["clipped", "DC offset", "frozen bits", "muffled", "mains hum"])
def test_no_other_fault_is_claimed(name: str, baseline: InputBaseline) -> None:
    change, code, _ = FAULTS[name]
    assert {finding.code for finding in check_input(*heard(change(machine(50))), baseline)} == {code}


@pytest.mark.parametrize("gain", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_a_sound_input_has_no_finding(gain: float, baseline: InputBaseline) -> None:
    assert check_input(*heard(machine(60, gain)), baseline) == ()


def test_log_mel_alone_tells_dead_and_stopped(baseline: InputBaseline) -> None:
    silent, _ = heard(np.zeros(RATE_HZ * 10, np.float32))
    assert [finding.code for finding in check_input(silent, None, baseline)] == [HealthCode.DEAD]
    quiet, _ = heard(machine(3, 0.05))
    assert [finding.code for finding in check_input(quiet, None, baseline)] == [HealthCode.STOPPED]


def test_what_was_normal_at_commissioning_stays_normal() -> None:
    window, level = heard(machine(1) + hum(0.3).astype(np.float32))
    humming = InputBaseline.fit([window], [replace(level, dc=0.1, clipped_fraction=0.01)])
    assert check_input(window, replace(level, dc=0.1, clipped_fraction=0.02), humming) == ()


@pytest.mark.data
@needs_recordings
def test_no_normal_recording_has_a_finding_and_faults_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    status = input_health.main(["--data", str(RECORDINGS)])
    assert status == 0, capsys.readouterr().out
