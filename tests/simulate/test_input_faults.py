from __future__ import annotations

import numpy as np
import pytest

from edge_agent.simulate import InputFault, MachineSimulator, MachineType, SimulationError, apply_input_fault
from edge_agent.simulate.input_faults import clipped, frozen, frozen_bits, mains_hum, muffled

from .measure import RATE_HZ, band_power, level_dbfs, spec_of


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return MachineSimulator(spec_of(MachineType.PUMP, 1), 0).render(2 * RATE_HZ)


@pytest.mark.parametrize("fault", InputFault)
def test_every_fault_keeps_shape_and_range_and_leaves_its_input_alone(fault: InputFault, sound: np.ndarray) -> None:
    before = sound.copy()
    broken = apply_input_fault(fault, sound, rate_hz=RATE_HZ, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(sound, before)
    assert broken.shape == sound.shape
    assert broken.dtype == np.float32
    assert np.abs(broken).max() <= 1
    assert not np.array_equal(broken, sound)


def test_what_each_is_known_by(sound: np.ndarray) -> None:
    def broken(fault: InputFault) -> np.ndarray:
        return apply_input_fault(fault, sound, rate_hz=RATE_HZ, rng=np.random.default_rng(0))

    assert not broken(InputFault.DEAD).any()
    assert -90 < level_dbfs(broken(InputFault.UNPLUGGED)) < -80
    assert broken(InputFault.DC_OFFSET).mean() == pytest.approx(0.2, abs=0.01)
    high_hz = (2_400.0, 8_000.0)
    assert band_power(broken(InputFault.MUFFLED), high_hz) < 1e-3 * band_power(sound, high_hz)
    assert 0.04 < np.mean(np.abs(broken(InputFault.CLIPPED)) >= 1) < 0.06
    words = np.rint(broken(InputFault.FROZEN_BITS) * 32768).astype(np.int64)
    assert not (words & 0xFF).any()
    frozen_words = broken(InputFault.FROZEN)
    np.testing.assert_array_equal(frozen_words[512:], frozen_words[:-512])


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_stands_at_the_mains(sound: np.ndarray, mains_hz: float) -> None:
    hum = mains_hum(sound, RATE_HZ, mains_hz, level_dbfs=-20) - sound
    assert level_dbfs(hum) == pytest.approx(-20, abs=0.1)
    assert band_power(hum, (mains_hz - 3, mains_hz + 3)) > 0.8 * band_power(hum, (0, 8_000))


def test_a_bit_stuck_high_stays_high(sound: np.ndarray) -> None:
    words = np.rint(frozen_bits(sound, stuck_low=0, stuck_high=0x10) * 32768).astype(np.int64)
    assert (words & 0x10).all()


def test_what_makes_no_sense_is_refused(sound: np.ndarray) -> None:
    with pytest.raises(SimulationError, match="float64"):
        frozen(sound.astype(np.float64))
    with pytest.raises(SimulationError, match="block is 0"):
        frozen(sound, block=0)
    with pytest.raises(SimulationError, match="cutoff_hz is 9000"):
        muffled(sound, RATE_HZ, cutoff_hz=9_000)
    with pytest.raises(SimulationError, match="silent"):
        clipped(np.zeros(100, np.float32))
    with pytest.raises(SimulationError, match="share is 0"):
        clipped(sound, share=0)
    with pytest.raises(SimulationError, match="no bit in common"):
        frozen_bits(sound, stuck_low=1, stuck_high=1)
