"""Samples to analysed windows: independent of blocks, batches and rates; honest about gaps."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.inference.encoder import Encoded, Encoder
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.channel import ChannelStream
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalSettings
from tests.support.bundles import tiny_encoder

SETTINGS = SignalSettings()
SHAPE = WindowShape(window_s=3.0, hop_s=3.0)
NOISE = (np.random.default_rng(2).standard_normal(48_000 * 7) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(tiny_encoder())


def _run(
    analyser: Analyser, rate_hz: int, parts: list[tuple[int, np.ndarray]], shape: WindowShape = SHAPE
) -> list[AnalysedWindow]:
    channel = ChannelStream(SETTINGS, shape, rate_hz)

    def drain() -> Iterator[AnalysedWindow]:
        return (window for _, window in analyser.drain([channel]))

    windows: list[AnalysedWindow] = []
    for first, samples in parts:
        channel.push(samples, first)
        windows.extend(drain())
    channel.finish()
    windows.extend(drain())
    return windows


def _key(window: AnalysedWindow) -> tuple[object, ...]:
    return (
        window.index, window.start, window.stop, window.duration_s, window.coverage,
        window.features.log_mel_db.tobytes(), window.features.embeddings.tobytes(), window.features.logits.tobytes(),
        window.level,
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(rate_hz=st.sampled_from([16_000, 44_100]), cuts=st.lists(st.integers(0, len(NOISE) // 3), max_size=12))
def test_blocks_do_not_matter(analyser: Analyser, rate_hz: int, cuts: list[int]) -> None:
    samples = NOISE[: 7 * 16_000]
    edges = [0, *sorted(c for c in cuts if c < len(samples)), len(samples)]
    parts = [(a, samples[a:b]) for a, b in itertools.pairwise(edges) if b > a]
    split, whole = _run(analyser, rate_hz, parts), _run(analyser, rate_hz, [(0, samples)])
    assert [_key(w) for w in split] == [_key(w) for w in whole]


def test_windows_cover_the_recording_at_its_native_rate(analyser: Analyser) -> None:
    windows = _run(analyser, 48_000, [(0, NOISE)])
    assert [(w.start, w.stop) for w in windows] == [(0, 144_000), (144_000, 288_000), (288_000, 336_000)]
    assert [w.duration_s for w in windows] == [3.0, 3.0, pytest.approx(1.0, abs=1e-4)]
    assert all(w.coverage == 1.0 for w in windows)
    assert [len(w.features.embeddings) for w in windows] == [1, 1, 0]
    assert windows[0].level is not None
    assert windows[0].level.rms_dbfs == pytest.approx(-20.0, abs=0.1)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_a_gap_lowers_the_coverage_of_its_window_only(analyser: Analyser, rate_hz: int) -> None:
    gap = slice(4 * rate_hz, 5 * rate_hz)
    windows = _run(analyser, rate_hz, [(0, NOISE[: gap.start]), (gap.stop, NOISE[gap.stop : 7 * rate_hz])])
    assert [w.coverage for w in windows[:2]] == [1.0, pytest.approx(2 / 3, abs=1e-3)]
    assert [w.start_s for w in windows] == [0.0, 3.0, 6.0]
    assert np.isfinite(windows[1].features.log_mel_db).all()


@pytest.mark.parametrize("hop_s", [3.0, 1.3])
def test_a_block_longer_than_what_the_meter_keeps_costs_no_level(analyser: Analyser, hop_s: float) -> None:
    samples = np.tile(NOISE[:160_000], 3)
    split, whole = (
        _run(analyser, 16_000, parts, WindowShape(3.0, hop_s))
        for parts in (
            [(first, samples[first : first + 1_600]) for first in range(0, len(samples), 1_600)],
            [(0, samples)],
        )
    )
    assert all(window.level is not None for window in whole)
    assert [_key(window) for window in split] == [_key(window) for window in whole]


def test_channels_share_one_batch_and_keep_their_own_results(analyser: Analyser) -> None:
    other = NOISE[::-1].copy()
    alone = [_run(analyser, 16_000, [(0, NOISE[:48_000])]), _run(analyser, 16_000, [(0, other[:48_000])])]
    channels = [ChannelStream(SETTINGS, SHAPE, 16_000) for _ in range(2)]
    channels[0].push(NOISE[:48_000], 0)
    channels[1].push(other[:48_000], 0)
    together = {id(channel): window for channel, window in analyser.drain(channels)}
    assert [_key(together[id(c)]) for c in channels] == [_key(windows[0]) for windows in alone]


def test_a_log_mel_clip_has_the_features_of_its_recording(analyser: Analyser) -> None:
    (window,) = _run(analyser, 16_000, [(0, NOISE[:48_000])])
    clip = analyser.clip(log_mel_db(NOISE[:48_000]), SETTINGS)
    assert clip.features.embeddings.tobytes() == window.features.embeddings.tobytes()
    assert clip.features.log_mel_db.tobytes() == window.features.log_mel_db.tobytes()
    assert clip.level is None


class Counting:
    """The tiny encoder, which notes how many patches it was given at once."""

    def __init__(self) -> None:
        self._encoder = tiny_encoder()
        self.spec = self._encoder.spec
        self.calls: list[int] = []

    def encode_patches(self, patches: Sequence[np.ndarray]) -> Encoded:
        self.calls.append(len(patches))
        return self._encoder.encode_patches(patches)


def _calls_by_block(hop_s: float, seconds: int, channels: int = 1) -> tuple[list[list[int]], list[int], int]:
    """Of each block of 100 ms: the encoder's calls, and the windows that closed; and the patches of all windows."""
    encoder = Counting()
    counting = Analyser(encoder)  # type: ignore[arg-type]  # what an encoder is asked for
    streams = [ChannelStream(SETTINGS, WindowShape(10.0, hop_s), 16_000) for _ in range(channels)]
    samples = np.resize(NOISE, seconds * 16_000)
    calls, closed, patches = [], [], 0
    for first in range(0, len(samples), 1_600):
        for stream in streams:
            stream.push(samples[first : first + 1_600], first)
        before = len(encoder.calls)
        windows = list(counting.drain(streams))
        patches += sum(len(window.features.embeddings) for _, window in windows)
        calls.append(encoder.calls[before:])
        closed.append(len(windows))
    return calls, closed, patches


def test_a_channel_alone_has_its_patches_encoded_some_at_a_time_and_none_at_the_end_of_a_window() -> None:
    calls, closed, patches = _calls_by_block(10.0, 30)
    assert [place for place, windows in enumerate(closed) if windows] == [99, 199, 299]
    assert not any(calls[place] for place in (99, 199, 299)), "a window waits for its last patch, and for nothing else"
    sizes = [size for found in calls for size in found]
    assert (len(sizes), max(sizes)) == (6, 4)
    assert sum(sizes) == patches, "a patch on the border of two windows is in neither, and not encoded"


def test_patches_of_many_channels_wait_for_nothing() -> None:
    calls, closed, _ = _calls_by_block(10.0, 10, channels=4)
    assert [sum(found) for found in calls if found] == [4] * 8
    assert closed[99] == 4


def test_windows_that_overlap_lack_no_patch() -> None:
    _, closed, patches = _calls_by_block(2.5, 20)
    assert [place for place, windows in enumerate(closed) if windows] == [99, 124, 149, 174, 199]
    windows = (
        SETTINGS.patches_within(SETTINGS.frames_within(first, first + 160_000)) for first in range(0, 200_000, 40_000)
    )
    assert patches == sum(map(len, windows))


def test_encoder_is_a_real_model() -> None:
    encoder: Encoder = tiny_encoder()
    assert encoder.encode(np.full((1, 64, 128), -50.0, np.float32)).embeddings.shape == (1, 8)
