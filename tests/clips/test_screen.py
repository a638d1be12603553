"""What becomes of a clip in which somebody speaks, policy by policy; the finding is given, the rest is real."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge_agent.clips.errors import ClipError
from edge_agent.clips.prepare import Keep
from edge_agent.clips.screen import Part, SpeechPolicy, SpeechScreen
from edge_agent.clips.upload import UploadScreen
from edge_agent.speech.detector import Finding, SpeechDetector
from tests.clips.plant import RATE_HZ, Desk, noise

FRAMES_10_S = np.zeros((311, 128), np.float32)
WINDOW = (40_000, 120_000)


class Heard(SpeechDetector):
    """Finds what a test says it finds."""

    def __init__(self, *spans: tuple[int, int]) -> None:
        self._spans = spans

        @dataclass(frozen=True)
        class _Manifest:
            model_sha256: str = "d" * 64

        self.manifest = _Manifest()  # type: ignore[assignment] # of a manifest only the hash is read

    def find(self, log_mel_db: NDArray[np.float32]) -> Finding:
        return Finding(0.9 if self._spans else 0.1, self._spans)


def judge(policy: SpeechPolicy, *spans: tuple[int, int]) -> Part | None:
    screen = SpeechScreen(policy, None if policy is SpeechPolicy.OFF else Heard(*spans))
    return screen.judge(FRAMES_10_S, lead=100, samples=160_000, window=WINDOW)


def test_off_screens_nothing() -> None:
    part = judge(SpeechPolicy.OFF)
    assert part is not None and (part.start, part.stop, part.masked) == (0, 160_000, ())
    assert part.note.verdict == "unscreened"


@pytest.mark.parametrize("policy", [SpeechPolicy.MASK, SpeechPolicy.DROP])
def test_nothing_found_keeps_all(policy: SpeechPolicy) -> None:
    part = judge(policy)
    assert part is not None and (part.start, part.stop, part.masked) == (0, 160_000, ())
    assert (part.note.verdict, part.note.detector, part.note.highest) == ("clear", "d" * 64, 0.1)


DROP = [
    ("within the window", ((120, 184),), None),
    ("across its begin", ((40, 104),), None),
    ("before it", ((0, 64),), (33_380, 160_000)),
    ("after it", ((247, 311),), (126_564, 160_000)),
    ("before and after it", ((0, 64), (247, 311)), (33_380, 126_564)),
]


@pytest.mark.parametrize(("where", "spans", "kept"), DROP, ids=[row[0] for row in DROP])
def test_drop_keeps_only_a_window_without_speech(
    where: str, spans: tuple[tuple[int, int], ...], kept: tuple[int, int] | None
) -> None:
    part = judge(SpeechPolicy.DROP, *spans)
    if kept is None:
        assert part is None
    elif where == "after it":
        assert part is not None and (part.start, part.stop) == (0, kept[0])
    else:
        assert part is not None and (part.start, part.stop) == kept
        assert part.note.verdict == "trimmed"


def test_mask_silences_what_was_found_and_says_so() -> None:
    part = judge(SpeechPolicy.MASK, (120, 184))
    assert part is not None
    start, stop = 100 + 120 * 512, 100 + 183 * 512 + 1024
    assert (part.start, part.stop, part.masked) == (0, 160_000, ((start, stop),))
    assert (part.note.verdict, part.note.masked) == ("masked", ((start / RATE_HZ, stop / RATE_HZ),))


def test_mask_drops_a_window_that_would_be_silent() -> None:
    assert judge(SpeechPolicy.MASK, (64, 240)) is None


def test_a_policy_needs_a_detector() -> None:
    with pytest.raises(ValueError, match="needs a detector"):
        SpeechScreen(SpeechPolicy.DROP, None)


def test_nothing_of_a_dropped_clip_reaches_the_disk(tmp_path: Path) -> None:
    screen = SpeechScreen(SpeechPolicy.DROP, Heard((0, 2000)))
    desk = Desk(tmp_path / "clips", {1: ("raised", 9.0)}, screen=screen)
    desk.writer.start()
    desk.play(noise(20.0))
    store = desk.finish()
    assert store.rows() == ()
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {
        "index.db", "index.db-wal", "index.db-shm", "lock",
    }  # fmt: skip
    assert desk.writer.stats().verdicts == (("speech", 1),)
    assert desk.writer.stats().dropped == (("alarm", "speech", 1),)
    store.close()


def test_masked_sound_is_silent_there_and_as_captured_elsewhere(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {2: ("raised", 9.0)}, screen=SpeechScreen(SpeechPolicy.MASK, Heard((100, 164))))
    desk.writer.start()
    sound = noise(30.0)
    desk.play(sound)
    store = desk.finish()
    clip = store.find(desk.clips[2])
    ((start_s, stop_s),) = clip.speech.masked
    start, stop, first = round(start_s * RATE_HZ), round(stop_s * RATE_HZ), clip.sound.first_sample
    samples = soundfile.read(store.payload_path(clip), dtype="float32")[0]
    captured = sound[first : first + len(samples)].copy()
    assert not samples[start:stop].any() and captured[start:stop].any()
    captured[start:stop] = 0.0
    assert np.array_equal(samples, captured)
    assert not clip.may_train
    store.close()


@pytest.mark.parametrize("keep", list(Keep))
def test_a_clip_is_screened_again_before_it_leaves(tmp_path: Path, keep: Keep) -> None:
    desk = Desk(tmp_path / "clips", {2: ("raised", 9.0)}, keep=keep)
    desk.writer.start()
    desk.play(noise(20.0))
    store = desk.finish()
    clip = store.find(desk.clips[2])
    path = store.payload_path(clip)
    silent = UploadScreen(SpeechScreen(SpeechPolicy.DROP, Heard()))
    talking = UploadScreen(SpeechScreen(SpeechPolicy.DROP, Heard((100, 164))))
    assert silent.refuses(clip, path) is None
    reason = talking.refuses(clip, path)
    assert reason is not None and "3.2 to 5.3 s" in reason
    masked = clip.speech.model_copy(update={"masked": ((3.0, 5.5),), "verdict": "masked"})
    assert talking.refuses(clip.model_copy(update={"speech": masked}), path) is None
    path.write_bytes(b"something else")
    with pytest.raises(ClipError, match="delete the clip"):
        silent.refuses(clip, path)
    store.close()
