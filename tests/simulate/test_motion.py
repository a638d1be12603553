from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.simulate import MachineState, MachineType
from edge_agent.simulate.components import Clock
from edge_agent.simulate.motion import ClockMotion, DriveMotion, control_to_samples, steady_motion

from .measure import RATE_HZ, spec_of

CHUNK = 4_096
DRIVE = replace(
    spec_of(MachineType.FAN, 0).drive, shaft_hz=20.0, fluctuation=0.01, fluctuation_s=0.2, load_slip=0.0, loads=(1.0,)
)


def test_speed_fluctuates_as_much_and_as_slowly_as_the_drive_says() -> None:
    motion = DriveMotion(DRIVE, RATE_HZ, CHUNK, np.random.default_rng(0), MachineState.RUNNING)
    speed = np.concatenate([motion.advance(MachineState.RUNNING).speed[1:] for _ in range(1_500)])
    assert speed.mean() == pytest.approx(1.0, abs=0.002)
    assert speed.std() == pytest.approx(DRIVE.fluctuation, rel=0.12)
    lag = round(DRIVE.fluctuation_s / (CHUNK / 64 / RATE_HZ))
    correlation = np.corrcoef(speed[:-lag], speed[lag:])[0, 1]
    assert correlation == pytest.approx(np.exp(-1), abs=0.1)


def test_shaft_runs_down_with_its_time_constant() -> None:
    motion = DriveMotion(
        replace(DRIVE, fluctuation=0.0), RATE_HZ, CHUNK, np.random.default_rng(0), MachineState.RUNNING
    )
    speed = np.concatenate([motion.advance(MachineState.OFF).speed[1:] for _ in range(20)])
    time_s = np.arange(1, len(speed) + 1) * CHUNK / 64 / RATE_HZ
    running = speed > 0
    np.testing.assert_allclose(speed[running], np.exp(-time_s[running] / DRIVE.spin_up_s), atol=1e-6)


@pytest.mark.parametrize("slip", [0.0, 0.02])
def test_a_clock_keeps_its_ratio_never_runs_back_and_carries_its_phase(slip: float) -> None:
    drive = DriveMotion(DRIVE, RATE_HZ, CHUNK, np.random.default_rng(0), MachineState.RUNNING)
    clock = ClockMotion(Clock(ratio=3.57, slip=slip), np.random.default_rng(1))
    shaft_turns = clock_turns = 0.0
    end = None
    for _ in range(200):
        motion = drive.advance(MachineState.RUNNING)
        turns = clock.advance(motion)
        assert (np.diff(turns) >= 0).all()
        if end is not None:
            assert turns[0] == pytest.approx(end % 1.0)
        end = turns[-1]
        shaft_turns += motion.turns[-1]
        clock_turns += turns[-1] - turns[0]
    assert clock_turns / shaft_turns == pytest.approx(3.57, rel=1e-9 if slip == 0 else 2e-3)


def test_mains_does_not_depend_on_the_shaft() -> None:
    clock = ClockMotion(Clock(ratio=0.0, fixed_hz=100.0), np.random.default_rng(0))
    turns = clock.advance(steady_motion(CHUNK, RATE_HZ))
    assert turns[-1] - turns[0] == pytest.approx(100.0 * CHUNK / RATE_HZ)


def test_straight_lines_between_control_points() -> None:
    control = np.arange(65.0)
    np.testing.assert_allclose(control_to_samples(control, 128), np.arange(1, 129) / 2)
