"""Patches and windows: same for every split, right around gaps."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalError, SignalSettings
from edge_agent.signal.stream import FeatureStream, Patch, Window, patches_of_log_mel

SETTINGS = SignalSettings()
RATE = SETTINGS.sample_rate_hz
SAMPLES = np.random.default_rng(3).standard_normal(12 * RATE).astype(np.float32) * 0.1


def _run(splits: list[np.ndarray | int], window_s: float = 3.0, hop_s: float = 3.0) -> tuple[list[Patch], list[Window]]:
    """Arrays are pushed, integers are gaps."""
    stream = FeatureStream(SETTINGS, window_s, hop_s)
    out: list[Patch | Window] = []
    for part in splits:
        out.extend(stream.gap(part) if isinstance(part, int) else stream.push(part))
    out.extend(stream.finish())
    return [o for o in out if isinstance(o, Patch)], [o for o in out if isinstance(o, Window)]


def _same(a: tuple[list[Patch], list[Window]], b: tuple[list[Patch], list[Window]]) -> bool:
    def key(items: list[Patch] | list[Window]) -> list[tuple[object, ...]]:
        return [
            (i.index, i.log_mel_db.tobytes())
            if isinstance(i, Patch)
            else (i.index, i.start_sample, i.samples, i.present_samples, i.patches, i.log_mel_db.tobytes())
            for i in items
        ]

    return key(a[0]) == key(b[0]) and key(a[1]) == key(b[1])


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(0, len(SAMPLES)), max_size=30),
    hop_s=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_any_split_gives_the_same_patches_and_windows(cuts: list[int], hop_s: float) -> None:
    whole = _run([SAMPLES], hop_s=hop_s)
    assert _same(_run(list(np.split(SAMPLES, sorted(cuts))), hop_s=hop_s), whole)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, len(SAMPLES)), max_size=10), lost=st.integers(0, 3 * RATE))
def test_frames_are_shown_once_as_they_are_computed_and_where_they_lie(cuts: list[int], lost: int) -> None:
    shown: list[tuple[int, bytes]] = []
    stream = FeatureStream(
        SETTINGS,
        3.0,
        3.0,
        on_frames=lambda first, db: shown.extend((first + k, db[k].tobytes()) for k in range(len(db))),
    )
    cut = cuts[0] if cuts else 0
    for part in np.split(SAMPLES[:cut], sorted(each for each in cuts if each < cut)):
        list(stream.push(part))
    list(stream.gap(lost))
    list(stream.push(SAMPLES[cut:]))
    whole = np.concatenate([SAMPLES[:cut], np.zeros(lost, np.float32), SAMPLES[cut:]])
    expected = log_mel_db(whole)
    hop, length = SETTINGS.hop_samples, SETTINGS.n_fft
    touched = {k for k in range(len(expected)) if lost and k * hop < cut + lost and k * hop + length > cut}
    numbers = [number for number, _ in shown]
    assert numbers == sorted(set(numbers))
    assert not touched & set(numbers)
    assert len(expected) - len(touched) - len(numbers) < 2 * SETTINGS.patch_hop_frames
    for number, frame in shown:
        assert frame == expected[number].tobytes()


def test_windows_hold_the_frames_of_the_batch_transform() -> None:
    frames = log_mel_db(SAMPLES)
    patches, windows = _run([SAMPLES], window_s=10.0, hop_s=10.0)
    assert [(w.start_sample, w.samples) for w in windows] == [(0, 160_000), (160_000, 32_000)]
    for window in windows:
        expected = SETTINGS.frames_within(window.start_sample, window.start_sample + window.samples)
        assert window.log_mel_db.tobytes() == frames[expected.start : expected.stop].tobytes()
        assert window.coverage == 1.0
    assert windows[0].patches == range(8)
    for patch in patches:
        assert patch.log_mel_db.tobytes() == frames[32 * patch.index : 32 * patch.index + 64].tobytes()


@settings(max_examples=60, deadline=None)
@given(start=st.integers(0, len(SAMPLES) - 1), count=st.integers(1, 5 * RATE), hop_s=st.sampled_from([1.0, 3.0]))
def test_a_gap_moves_nothing_and_takes_only_the_frames_it_touches(start: int, count: int, hop_s: float) -> None:
    stop = min(start + count, len(SAMPLES))
    frames = log_mel_db(SAMPLES)
    patches, windows = _run([SAMPLES[:start], stop - start, SAMPLES[stop:]], hop_s=hop_s)
    clean = [k for k in range(len(frames)) if 512 * k + 1024 <= start or 512 * k >= stop]
    for window in windows:
        inside = SETTINGS.frames_within(window.start_sample, window.start_sample + window.samples)
        expected = frames[[k for k in clean if k in inside]]
        assert window.log_mel_db.tobytes() == expected.tobytes()
        lost = len(range(max(start, window.start_sample), min(stop, window.start_sample + window.samples)))
        assert window.present_samples == window.samples - lost
    whole = {k // 32 for k in range(0, len(frames) - 63, 32) if set(range(k, k + 64)) <= set(clean)}
    found, held = {p.index for p in patches}, {k for w in windows for k in w.patches} & whole
    assert held <= found <= whole
    still_open = windows[-1].next_start_sample
    assert all(32 * 512 * k >= still_open for k in found - held), "of a patch that no window holds nothing is made"
    for patch in patches:
        assert patch.log_mel_db.tobytes() == frames[32 * patch.index : 32 * patch.index + 64].tobytes()


def test_a_gap_longer_than_windows_yields_them_empty() -> None:
    _, windows = _run([SAMPLES[:1_000], 10 * RATE, SAMPLES[:1_000]], window_s=3.0, hop_s=3.0)
    assert [w.present_samples for w in windows] == [1_000, 0, 0, 1_000]
    assert [len(w.log_mel_db) for w in windows] == [0, 0, 0, 0]


@settings(max_examples=80, deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(1, 5 * RATE), st.integers(1, 8 * RATE)), min_size=1, max_size=6),
    hop_s=st.sampled_from([1.0, 2.0, 3.0]),
)
def test_a_gap_costs_at_most_one_window_however_long_it_is_and_wherever_it_falls(
    parts: list[tuple[int, int]], hop_s: float
) -> None:
    sound = np.resize(SAMPLES, 5 * RATE)
    stream = FeatureStream(SETTINGS, 3.0, hop_s, anew_after_s=0.6)
    windows: list[Window] = []
    gap_ends = set()
    for samples, gap in parts:
        for out in (stream.push(sound[:samples]), stream.gap(gap)):
            windows += [item for item in out if isinstance(item, Window)]
        gap_ends.add(stream.position)
    windows += [item for item in stream.push(sound) if isinstance(item, Window)]
    assert sum(window.coverage < 0.8 for window in windows) <= len(parts) * max(1, round(0.6 / hop_s))
    assert [window.index for window in windows] == list(range(len(windows)))
    for before, after in pairwise(windows):
        # a gap right behind a window that was closed already: that one could not know
        assert after.start_sample == before.next_start_sample or after.start_sample in gap_ends
        assert after.start_sample > before.start_sample
    assert all(0 < window.present_samples <= window.samples == 3 * RATE for window in windows)


def test_windows_begin_anew_behind_a_long_gap() -> None:
    stream = FeatureStream(SETTINGS, 3.0, 3.0, anew_after_s=0.6)
    windows: list[Patch | Window] = [*stream.push(SAMPLES[: 2 * RATE]), *stream.gap(4 * RATE)]
    windows += [*stream.push(SAMPLES[: 3 * RATE]), *stream.gap(RATE // 2), *stream.push(SAMPLES[: 5 * RATE // 2])]
    found = [(w.start_sample, w.next_start_sample, w.present_samples) for w in windows if isinstance(w, Window)]
    assert found == [
        (0, 6 * RATE, 2 * RATE),  # the gap ended it
        (6 * RATE, 9 * RATE, 3 * RATE),  # and the next one holds no sample of it
        (9 * RATE, 12 * RATE, 5 * RATE // 2),  # a short one moves nothing
    ]


def test_memory_is_bounded() -> None:
    stream = FeatureStream(SETTINGS, 3.0, 1.0)
    for _ in range(200):
        list(stream.push(SAMPLES[:RATE]))
    assert len(stream._groups) <= 7


def test_log_mel_clips_have_the_patches_of_their_recording() -> None:
    patches, _ = _run([SAMPLES[: 8 * RATE]], window_s=8.0, hop_s=8.0)
    from_frames = list(patches_of_log_mel(log_mel_db(SAMPLES[: 8 * RATE]), SETTINGS))
    assert [(p.index, p.log_mel_db.tobytes()) for p in patches] == [
        (p.index, p.log_mel_db.tobytes()) for p in from_frames
    ]


@pytest.mark.parametrize(("window_s", "hop_s"), [(0.05, 0.05), (3.0, 0.0), (3.0, 4.0), (3.0, -1.0)])
def test_windows_that_cannot_work_are_refused(window_s: float, hop_s: float) -> None:
    with pytest.raises(SignalError):
        FeatureStream(SETTINGS, window_s, hop_s)
