"""From samples and verdicts to clips: what is cut, when, and what becomes of it under pressure."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_agent.clips.policy import KeepLimits
from edge_agent.clips.prepare import Keep
from edge_agent.clips.queue import ClipQueue
from edge_agent.clips.reasons import Dropped, Reason
from edge_agent.clips.recorder import Requested, Roll
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.store import ClipStore
from tests.clips.plant import RATE_HZ, Desk, noise

ALARM = "01HF7YAT00AAAAAAAAAAAAAAAA"


def test_an_alarm_is_kept_with_what_came_before_and_after_sample_by_sample(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {4: ("raised", 9.0)}, alarm=ALARM)
    desk.writer.start()
    sound = noise(40.0)
    desk.play(sound)
    store = desk.finish()
    (row,) = store.rows()
    clip = store.find(row.id)
    assert (clip.reason, clip.alarm, row.id) == (Reason.ALARM, ALARM, desk.clips[4])
    samples, rate_hz = soundfile.read(store.payload_path(clip), dtype="float32")
    # the window is 16 to 20 s, with 6 s before it and 3 s after it
    assert rate_hz == RATE_HZ
    assert np.array_equal(samples, sound[10 * RATE_HZ : 23 * RATE_HZ])
    assert (clip.sound.first_sample, clip.sound.window_offset_s, clip.sound.window_s) == (10 * RATE_HZ, 6.0, 4.0)
    assert (clip.window_start, clip.sound.start) == ("2023-11-14T22:13:36.000000Z", "2023-11-14T22:13:30.000000Z")
    assert clip.sound.coverage == 1.0 and clip.may_train
    picture = store.picture_path(clip)
    assert picture is not None and picture.read_bytes().startswith(b"\x89PNG")
    assert list(store.verify()) == []
    store.close()


def test_an_alarm_at_the_very_begin_or_end_has_the_roll_there_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {0: ("raised", 9.0), 5: ("raised", 9.0)})
    desk.writer.start()
    sound = noise(25.0)
    desk.play(sound)
    store = desk.finish()
    found = {row.id: soundfile.read(store.payload_path(store.find(row.id)), dtype="float32")[0] for row in store.rows()}
    assert np.array_equal(found[desk.clips[0]], sound[: 7 * RATE_HZ])
    assert np.array_equal(found[desk.clips[5]], sound[14 * RATE_HZ :])
    store.close()


def test_lost_samples_are_silence_and_the_sidecar_says_where(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {1: ("raised", 9.0)})
    desk.writer.start()
    sound = noise(30.0)
    desk.play(sound[: 5 * RATE_HZ])
    desk.tap.gap(RATE_HZ // 2)
    desk.heard = np.concatenate([desk.heard, np.zeros(RATE_HZ // 2, np.float32)])
    desk.play(sound[5 * RATE_HZ :])
    store = desk.finish()
    clip = store.find(desk.clips[1])
    assert clip.sound.gaps == ((5.0, 5.5),)
    assert clip.sound.coverage == pytest.approx(1 - 0.5 / 11)
    assert not clip.may_train
    samples = soundfile.read(store.payload_path(clip), dtype="float32")[0]
    assert not samples[5 * RATE_HZ : 5 * RATE_HZ + RATE_HZ // 2].any()
    assert np.array_equal(samples[: 5 * RATE_HZ], sound[: 5 * RATE_HZ])
    store.close()


def test_the_scorer_never_waits_and_the_least_weighty_clip_goes_first(tmp_path: Path) -> None:
    script = {number: ("suspect", 3.1) for number in range(0, 9)} | {9: ("raised", 9.0)}
    limits = KeepLimits(random_per_day=0, uncertain_per_day=100, uncertain_spacing_s=0.0)
    desk = Desk(tmp_path / "clips", script, limits=limits, queue=ClipQueue(most_jobs=3))
    desk.play(noise(50.0))  # the writer is not even running
    assert len(desk.queue) == 3
    assert sum(count for _, why, count in desk.writer.stats().dropped if why == "queue_full") == 7
    assert desk.recorder.outcome(desk.clips[5]) is Dropped.QUEUE_FULL
    desk.writer.start()
    store = desk.finish()
    assert {row.id for row in store.rows()} == {desk.clips[number] for number in (0, 1, 9)}
    store.close()


def test_memory_of_what_waits_is_bounded_too(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path / "clips",
        {number: ("suspect", 3.1) for number in range(20)},
        limits=KeepLimits(random_per_day=0, uncertain_per_day=100, uncertain_spacing_s=0.0),
        queue=ClipQueue(most_jobs=100, most_bytes=500_000),
    )
    desk.play(noise(80.0))
    assert 0 < desk.queue.nbytes <= 500_000
    desk.writer.start()
    desk.finish().close()


def test_while_the_scorer_is_behind_only_alarms_are_kept(tmp_path: Path) -> None:
    script = {0: ("suspect", 3.1), 1: ("raised", 9.0)}
    desk = Desk(tmp_path / "clips", script, limits=KeepLimits(random_per_day=0), behind=True)
    desk.writer.start()
    desk.play(noise(12.0))
    store = desk.finish()
    assert [row.reason for row in store.rows()] == ["alarm"]
    assert desk.writer.stats().dropped == (("uncertain", "queue_full", 1),)
    store.close()


def test_a_request_keeps_the_next_window_pinned(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips")
    desk.writer.start()
    desk.play(noise(9.0))
    desk.recorder.request("fan_1")
    desk.play(noise(9.0, seed=1))
    store = desk.finish()
    (row,) = store.rows()
    assert (row.id, row.reason, row.pinned) == (desk.clips[2], "request", True)
    store.close()


def test_a_disk_that_refuses_is_told_once_counted_and_used_again(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file is in the way")
    script = {number: ("suspect", 3.1) for number in range(10)}
    limits = KeepLimits(random_per_day=0, uncertain_per_day=100, uncertain_spacing_s=0.0)
    desk = Desk(tmp_path / "clips", script, limits=limits)
    now = [0.0]
    desk.writer._clock_s = lambda: now[0]
    desk.writer.start()
    desk.play(noise(12.0))
    _until(lambda: sum(count for *_, count in desk.writer.stats().dropped) == 3)
    assert len(desk.told) == 1 and "clips" in desk.told[0]
    (tmp_path / "clips").unlink()
    now[0] = 31.0
    desk.play(noise(12.0))
    store = desk.finish()
    assert len(store.rows()) == 3
    assert desk.told[1:] == [""]
    assert desk.writer.stats().dropped == (("uncertain", "io_error", 3),)
    store.close()


def test_a_full_quota_is_told_and_alarms_stay(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {number: ("raised", 9.0) for number in range(12)}, max_bytes=600_000)
    desk.writer.start()
    desk.play(noise(60.0))
    store = desk.finish()
    kept = len(store.rows())
    assert 0 < kept < 12
    assert desk.writer.stats().dropped == (("alarm", "quota", 12 - kept),)
    assert "raise clips.max_bytes" in desk.told[-1]
    store.close()


def test_a_ring_holds_rolls_two_windows_and_a_margin() -> None:
    assert Roll(20.0, 10.0, 10.0).ring_samples * 2 < 3_000_000
    assert Roll(40.0, 30.0, 10.0).ring_samples * 2 < 5_000_000


@pytest.mark.parametrize("keep", list(Keep))
def test_both_kinds_are_stored(tmp_path: Path, keep: Keep) -> None:
    desk = Desk(tmp_path / "clips", {1: ("raised", 9.0)}, keep=keep)
    desk.writer.start()
    desk.play(noise(20.0))
    store = desk.finish()
    clip = store.find(desk.clips[1])
    assert clip.sound.kind == keep.value
    names = {path.suffix for path in store.payload_path(clip).parent.iterdir()}
    assert names == {".json", ".png", ".flac" if keep is Keep.AUDIO else ".npz"}
    if keep is Keep.LOG_MEL:
        with np.load(store.payload_path(clip), allow_pickle=False) as arrays:
            assert arrays["log_mel_db"].dtype == np.float16
            first = int(arrays["first_frame"][0])
            assert arrays["log_mel_db"].shape == (1, 124, 128) and first == 125
            assert arrays["roll_db"].shape[0] > 300
    store.close()


def _until(condition: object) -> None:
    import time

    for _ in range(1000):
        if condition():  # type: ignore[operator] # a test's shorthand
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def test_what_became_of_a_request_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips")
    desk.play(noise(2.0))
    desk.recorder.request("fan_1")
    assert desk.recorder.requested() == {"fan_1": Requested(None)}
    desk.play(noise(3.0))
    (asked,) = desk.recorder.requested().values()
    assert asked == Requested(asked.clip) and asked.clip is not None  # its post roll is still to come
    desk.writer.start()
    desk.play(noise(5.0))
    store = desk.finish()
    assert desk.recorder.requested() == {"fan_1": Requested(asked.clip, kept=True)}
    assert store.find(asked.clip).pinned and store.find(asked.clip).reason is Reason.REQUEST
    store.close()


def test_a_request_that_cannot_be_kept_says_why(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", max_bytes=10_000)
    desk.recorder.request("fan_1")
    desk.writer.start()
    desk.play(noise(9.0))
    desk.finish().close()
    (asked,) = desk.recorder.requested().values()
    assert (asked.kept, asked.dropped) == (False, Dropped.QUOTA)


def test_a_writer_that_met_the_unforeseen_tries_again(tmp_path: Path) -> None:
    limits = KeepLimits(random_per_day=0, uncertain_per_day=100, uncertain_spacing_s=0.0)
    desk = Desk(tmp_path / "clips", {number: ("suspect", 3.1) for number in range(10)}, limits=limits)
    opened, tries, now = desk.writer._open_store, iter(range(9)), [0.0]

    def open_store() -> ClipStore:
        if next(tries) == 0:
            raise OverflowError("nobody thought of this")
        return opened()

    desk.writer._open_store, desk.writer._clock_s = open_store, lambda: now[0]
    desk.writer.start()
    desk.play(noise(4.0))
    _until(lambda: len(desk.writer.stats().dropped) == 1)
    assert "nobody thought of this" in desk.told[0]
    now[0] = 31.0
    desk.play(noise(4.0))
    store = desk.finish()
    assert len(store.rows()) == 1 and desk.told[-1] == ""
    store.close()


def test_a_clip_that_nobody_could_be_told_of_is_kept_all_the_same(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {0: ("raised", 9.0)})

    def fail(_: Sidecar) -> None:
        raise RuntimeError("the alarms are elsewhere")

    desk.writer._on_kept = fail
    desk.writer.start()
    desk.play(noise(8.0))
    store = desk.finish()
    assert len(store.rows()) == 1 and desk.writer.stats().dropped == ()
    store.close()


def test_a_stream_with_a_thousand_holes_is_kept_and_says_how_much_was_lost(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {2: ("raised", 9.0)})
    desk.writer.start()
    sound = noise(16.0)
    for first in range(0, len(sound), 80):  # five milliseconds, every second of them lost
        block = sound[first : first + 80]
        if first // 80 % 2:
            desk.tap.gap(40)
            desk.tap.gap(40)  # two losses without a sample between them are one
            block[:] = 0.0
            desk.heard = np.concatenate([desk.heard, block])
        else:
            desk.play(block)
    store = desk.finish()
    clip = store.find(desk.clips[2])
    assert clip.sound.coverage == pytest.approx(0.5, abs=0.01)
    assert len(clip.sound.gaps) == 1000 and not clip.may_train
    samples = soundfile.read(store.payload_path(clip), dtype="float32")[0]
    first = clip.sound.first_sample
    assert np.array_equal(samples, sound[first : first + len(samples)])
    store.close()


def test_two_alarms_whose_rolls_overlap_are_both_whole(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {3: ("raised", 9.0), 4: ("raised", 9.0)})
    desk.writer.start()
    sound = noise(40.0)
    desk.play(sound)
    store = desk.finish()
    for number, start_s in ((3, 6), (4, 10)):
        samples = soundfile.read(store.payload_path(store.find(desk.clips[number])), dtype="float32")[0]
        assert np.array_equal(samples, sound[start_s * RATE_HZ : (start_s + 13) * RATE_HZ])
    store.close()


def test_a_window_of_the_stream_before_is_not_cut_from_the_one_that_runs(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "clips", {1: ("raised", 9.0)})
    desk.writer.start()
    desk.play(noise(7.9))
    desk.recorder.tap("mic", 0)  # the device was gone, and is here again
    desk.tap.push(noise(1.0, seed=2))
    desk.heard = np.concatenate([desk.heard, noise(0.1)])
    desk._window()
    desk.tap.push(noise(20.0, seed=3))
    store = desk.finish()
    assert store.rows() == () and desk.writer.stats().dropped == (("alarm", "no_audio", 1),)
    store.close()
