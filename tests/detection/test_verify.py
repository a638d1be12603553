"""Bad calibrations, each by its name: refused, trimmed, or kept with a warning; on simulated sound and recordings."""

import csv
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording
from edge_agent.detection.profile import Profile
from edge_agent.detection.verify import miscalibration
from edge_agent.simulate import MachineSimulator, MachineState, MachineType, random_spec
from tests.detection import simulated, sounds
from tests.support.agent import RECORDINGS, needs_recordings

PRIOR = sounds.prior(shape=1.0, texture=0.5)
FAN = MachineType.FAN


def learn(recordings: list[Recording]) -> Profile:
    return commission("m", "t", recordings, PRIOR, None, AlarmBudget(), created_ns=1)


def fan(count: int, seed: int = 0) -> list[Recording]:
    return simulated.clips(FAN, count=count, seed=seed)


def changed(samples: NDArray[np.float32], name: str) -> list[Recording]:
    return [simulated.heard(samples, name)]


def fan_sound(seconds: int = 10, seed: int = 7) -> NDArray[np.float32]:
    return simulated.sound(FAN, 1, MachineState.RUNNING, seconds, seed)


def silence(name: str = "silent.wav") -> list[Recording]:
    return changed(np.zeros(160_000, np.float32), name)


def standing_then_running() -> list[Recording]:
    """A machine that is switched on while the recording runs: it stands still for 20 s."""
    spec = random_spec(MachineType.GEARBOX, np.random.default_rng(1), "machine_1")
    simulator = MachineSimulator(spec, seed=3, state=MachineState.OFF)
    parts = [simulator.render(320_000)]
    simulator.state = MachineState.RUNNING
    parts.append(simulator.render(1_600_000))
    return [simulated.heard(part, f"{k}0 s") for k, part in enumerate(np.split(np.concatenate(parts), 12))]


def background(count: int = 8) -> list[Recording]:
    """Passing things, each of its own colour: what a microphone hears that hangs near no machine."""
    rng = np.random.default_rng(5)
    made = []
    for k in range(count):
        spectrum = np.fft.rfft(rng.standard_normal(160_000))
        place = np.linspace(0, 1, len(spectrum))
        spectrum *= 10 ** (-1.2 * rng.normal() * place) * (0.1 + np.exp(-(((place - rng.random()) / 0.1) ** 2)))
        sound = np.fft.irfft(spectrum)
        made += changed((0.05 * sound / sound.std()).astype(np.float32), f"street_{k}.wav")
    return made


def door(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """A loud tone over the fan, as of a reversing lorry."""
    time_s = np.arange(len(samples)) / 16_000
    return np.asarray(samples + 0.3 * np.sin(2 * np.pi * 1_200 * time_s), np.float32)


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        (lambda: silence() * 4, "nothing to learn from: digital silence"),
        (lambda: [*fan(8), *silence("a.wav"), *silence("b.wav")], r"2 of 10 recordings \(a.wav, b.wav\) .*silence"),
        (standing_then_running, r"the first 2 of 12 recordings \(00 s, 10 s\) .* a start-up"),
        (lambda: [*simulated.clips(MachineType.GEARBOX, 1, count=6), *simulated.clips(MachineType.GEARBOX, 2, count=6)],
         "two machines"),
        (lambda: [*fan(5), *changed(fan_sound() * 100, "x"), *changed(fan_sound(seed=8) * 100, "y")],
         r"2 of 7 recordings \(.*x, y\) .*louder"),
        (lambda: fan(2), "at least half a minute"),
        (lambda: fan(2) * 10, "only 2 usable windows are left"),
    ],
    ids=["silence", "partly silent", "start-up transient", "two machines", "two loud outliers", "too little", "copies"],
)  # fmt: skip
def test_refused(recordings: Callable[[], list[Recording]], message: str) -> None:
    with pytest.raises(CommissioningError, match=message):
        learn(recordings())


@pytest.mark.parametrize(
    ("recordings", "left_out"),
    [
        (lambda: [*fan(10), *silence("dead.wav")], "dead.wav: digital silence"),
        (lambda: [*fan(10), *changed(fan_sound() * 30, "loud.wav")], "loud.wav: 30 dB louder than the others"),
        (lambda: [*fan(10), *changed(door(fan_sound()), "lorry.wav")], "lorry.wav: differs from the others by"),
        (lambda: [*fan(10), fan(1)[0]], "a copy of fan_1_running_0_00.wav"),
    ],
    ids=["silent clip", "loud outlier", "odd outlier", "a copy"],
)
def test_trimmed_and_said_which(recordings: Callable[[], list[Recording]], left_out: str) -> None:
    profile = learn(recordings())
    (reason,) = profile.trimmed
    assert left_out in reason
    assert profile.recordings == 10


def test_what_a_person_vouches_for_is_not_left_out() -> None:
    vouched = simulated.heard(door(fan_sound()), "lorry.wav", trusted=True)
    profile = learn([*fan(10), vouched])
    assert profile.trimmed == () and "lorry.wav" in profile.clips


@pytest.mark.parametrize(
    ("recordings", "words"),
    [
        (background, "sounds like background"),
        (lambda: [simulated.heard(r * np.float32(1e-4), str(k)) for k, r in enumerate(np.split(fan_sound(60), 6))],
         "hardly audible"),
        (lambda: changed(fan_sound(600), "one.wav"), "all of it is one recording"),
        (lambda: [*fan(30), *another_day()], "come in 2 groups up to"),
    ],
    ids=["background only", "hardly audible", "one session", "sessions that differ"],
)  # fmt: skip
def test_kept_with_a_warning(recordings: Callable[[], list[Recording]], words: str) -> None:
    assert any(words in warning for warning in learn(recordings()).warnings)


def dull(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same through another door: highs 6 dB lower."""
    spectrum = np.fft.rfft(samples)
    return np.fft.irfft(spectrum * 10 ** (-0.3 * np.linspace(0, 1, len(spectrum)))).astype(np.float32)


def another_day() -> list[Recording]:
    return [simulated.heard(dull(part), f"tuesday {k}") for k, part in enumerate(np.split(fan_sound(300), 30))]


def test_a_good_calibration_has_no_warning() -> None:
    assert learn(fan(60)).warnings == ()


def test_held_out_normals_above_what_was_promised_are_refused() -> None:
    rng = np.random.default_rng(0)
    honest = np.log10(rng.random(200))
    assert miscalibration(honest, 0.01) is None
    few = miscalibration(np.where(np.arange(200) < 9, -4.0, honest), 0.01)
    assert few is not None and "held-out normal windows would be odder than one in 100" in few
    many = miscalibration(np.where(np.arange(200) < 60, -1.5, np.maximum(honest, -1.9)), 0.01)
    assert many is not None and "odder than one in 10," in many


def test_odd_recordings_that_somebody_vouches_for_are_learnt_with_a_warning() -> None:
    rng = np.random.default_rng(3)
    clips = [sounds.recording(seed) for seed in range(60)]
    for k in range(4):
        change_db = np.interp(np.arange(128), np.linspace(0, 127, 12), rng.normal(0, 8, 12))
        clips.append(Recording(f"odd_{k}", (sounds.window(700 + k, change_db=change_db),), (None,)))
    prior = sounds.prior()
    plain, vouched = (
        commission("m", "t", recordings, prior, None, AlarmBudget(), created_ns=1)
        for recordings in (clips, [replace(clip, trusted=True) for clip in clips])
    )
    assert (len(plain.trimmed), len(vouched.trimmed)) == (4, 0)
    assert any("odd_0 is odd, and kept since you vouch for it" in warning for warning in vouched.warnings)


def _recorded(machine_ids: set[str], conditions: set[str], most: int) -> list[Recording]:
    with (RECORDINGS / "manifest.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["condition"] in conditions]
    rows = [r for r in rows if not machine_ids or r["machine_id"] in machine_ids]
    found: list[Recording] = []
    for row in rows[:: max(1, len(rows) // most)][:most]:
        samples, _ = soundfile.read(RECORDINGS / row["file"], dtype="float32")
        found += changed(np.tile(samples, 2)[:160_000], row["file"])
    return found


@needs_recordings
@pytest.mark.parametrize("machine_id", ["holybro_x500", "lathe_1", "wenatchee", "dcase2020_id_00", "bebop"])
def test_real_machines_are_learnt_without_being_called_background(machine_id: str) -> None:
    profile = learn(_recorded({machine_id}, {"normal"}, 12))
    assert not any("background" in warning for warning in profile.warnings)


@needs_recordings
def test_real_background_is_refused_or_called_so() -> None:
    try:
        warnings = learn(_recorded(set(), {"background"}, 20)).warnings
    except CommissioningError as error:
        warnings = (str(error),)
    assert any("background" in w or "cannot be learnt from" in w for w in warnings), warnings


@needs_recordings
def test_two_real_machines_are_refused() -> None:
    both = [*_recorded({"lathe_1"}, {"normal"}, 10), *_recorded({"wenatchee"}, {"normal"}, 10)]
    with pytest.raises(CommissioningError, match="two machines"):
        learn(both)


@needs_recordings
def test_a_compressor_that_switches_is_refused_as_one_state() -> None:
    with pytest.raises(CommissioningError, match="in several operating states"):
        learn(_recorded({"compressor_1"}, {"state_off", "state_rest"}, 40))
