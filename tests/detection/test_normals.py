"""Kept normals: small, the same sound within a hundredth of a dB, hostile when read."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_agent.detection import statistics
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.normals import MAX_WINDOWS, Normals, Source
from edge_agent.detection.scorer import MachineScorer
from edge_agent.simulate import MachineType
from tests.detection import simulated, sounds

SOURCE = Source("a" * 64, "b" * 64)


def clips(count: int) -> list[Recording]:
    return [sounds.recording(seed) for seed in range(count)]


def test_what_is_kept_comes_back_as_it_was_kept() -> None:
    kept = Normals.of(SOURCE, simulated.clips(MachineType.PUMP, count=4, state_name="load"))
    back = Normals.from_bytes(kept.to_bytes(), name="n")
    assert back.source == SOURCE and back.to_bytes() == kept.to_bytes()
    for one, two in zip(kept.recordings, back.recordings, strict=True):
        assert (one.name, one.state, one.starts_s) == (two.name, two.state, two.starts_s)
        assert np.array_equal(one.windows[0].log_mel_db, two.windows[0].log_mel_db)
        assert one.levels[0] is not None and two.levels[0] is not None
        assert one.levels[0].rms_dbfs == two.levels[0].rms_dbfs


def test_rounding_moves_a_spectrum_by_less_than_a_twentieth_of_a_db() -> None:
    for recording in clips(5):
        (window,) = Normals.of(SOURCE, [recording]).recordings[0].windows
        moved = statistics.spectrum(window.log_mel_db) - statistics.spectrum(recording.windows[0].log_mel_db)
        assert np.abs(moved).max() < 0.05


def test_a_profile_fitted_on_kept_normals_scores_alike() -> None:
    def learn(recordings: list[Recording]) -> MachineScorer:
        profile = commission("m", "t", recordings, sounds.prior(), None, AlarmBudget(), created_ns=1)
        return MachineScorer(profile, sounds.prior())

    fresh, kept = learn(clips(12)), learn(list(Normals.of(SOURCE, clips(12)).recordings))
    for seed in range(100, 120):
        assert fresh.score(sounds.window(seed)).score == pytest.approx(kept.score(sounds.window(seed)).score, abs=0.1)


def test_ten_minutes_are_small_and_more_than_forty_are_thinned_evenly() -> None:
    assert len(Normals.of(SOURCE, clips(60)).to_bytes()) < 3 << 20
    nothing = np.zeros((0, 4), np.float32)
    short = [WindowFeatures(np.full((2, 128), -50.0 - k % 7, np.float32), nothing, nothing) for k in range(1000)]
    tiny = [Recording(f"{k}", (window,), (None,)) for k, window in enumerate(short)]
    thinned = Normals.of(SOURCE, tiny)
    assert thinned.windows == MAX_WINDOWS
    places = np.array([int(recording.name) for recording in thinned.recordings])
    assert np.diff(places).max() <= 5 and places[0] == 0 and places[-1] == 999


@given(
    hnp.arrays(
        np.float32, (6, 128), elements=st.floats(-100, 60, width=32), fill=st.floats(-100, 60, width=32)
    )
)  # fmt: skip
def test_rounding_twice_is_rounding_once(log_mel_db: np.ndarray) -> None:
    empty = np.zeros((0, 4), np.float32)
    once = Normals.of(SOURCE, [Recording("r", (WindowFeatures(log_mel_db, empty, empty),), (None,))])
    back = Normals.from_bytes(once.to_bytes(), name="n")
    kept = once.recordings[0].windows[0].log_mel_db
    assert np.abs(back.recordings[0].windows[0].log_mel_db - kept).max() <= 2e-5  # of float32 itself, at 100 dB
    assert np.abs(kept - log_mel_db).max() <= 160 / 255


def rewritten(change: dict[str, object], **arrays: np.ndarray) -> bytes:
    content = np.load(io.BytesIO(Normals.of(SOURCE, clips(2)).to_bytes()), allow_pickle=False)
    kept = {name: content[name] for name in content.files} | arrays
    metadata = json.loads(kept["metadata"].tobytes()) | change
    kept["metadata"] = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **kept)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"", "damaged"),
        (lambda: rewritten({"format": 9}), "format"),
        (lambda: rewritten({"encoder_sha256": "x"}), "encoder_sha256"),
        (lambda: rewritten({"recordings": []}), "recordings"),
        (lambda: rewritten({}, frames=np.zeros((3, 128), np.uint8)), "frames do not match"),
        (lambda: rewritten({}, frames=np.zeros((622, 128), np.float32)), "frames do not match"),
        (lambda: rewritten({}, logits=np.zeros((1, 3), np.float16)), "logits do not match"),
        (lambda: rewritten({}, ranges_db=np.full((2, 2), np.inf, np.float32)), "NaN or infinity"),
        (lambda: rewritten({}, ranges_db=np.full((2, 2), 3e38, np.float32)), "ranges_db"),
    ],
    ids=["empty", "format", "encoder", "no recording", "frames", "dtype", "logits", "infinite", "overflow"],
)  # fmt: skip
def test_hostile_files_are_refused(content: object, message: str) -> None:
    with pytest.raises(DetectionError, match=message):
        Normals.from_bytes(content(), name="n.npz")  # type: ignore[operator]  # made when needed


@pytest.mark.parametrize(("signal", "encoder", "what"), [("c", "b", "signal settings"), ("a", "c", "encoder")])
def test_normals_of_another_origin_are_not_mixed(signal: str, encoder: str, what: str) -> None:
    with pytest.raises(DetectionError, match=f"another {what}"):
        Normals.of(SOURCE, clips(1)).check_source(Source(signal * 64, encoder * 64))
