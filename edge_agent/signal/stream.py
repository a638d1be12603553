"""From a stream of samples with gaps to patches for the encoder and windows for the detectors."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.signal.logmel import LogMelStream, LogMelTransform
from edge_agent.signal.settings import SignalError, SignalSettings

FloatArray = NDArray[np.float32]
FrameTap = Callable[[int, FloatArray], None]


@dataclass(frozen=True, slots=True)
class Patch:
    """One input of the encoder: frames `[patch_frames, n_mels]`, dB; `index` on the stream's patch grid.

    `prepared` is what a model's input stores of it, where that was made already.
    """

    index: int
    log_mel_db: FloatArray
    prepared: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of the stream, the unit of a result.

    Attributes:
        index: Number of the window since the stream began; windows start every hop.
        start_sample: First sample, at the rate of the signal contract.
        samples: Length; below the full window only for the last window of a recording.
        next_start_sample: Where the next window starts: a hop later, but behind a gap that began the windows anew.
        present_samples: Samples that were not lost in a gap.
        log_mel_db: `[frames, n_mels]`, frames wholly inside the window and free of lost samples.
        patches: Indices of the patches wholly inside the window; those that a gap touched were never produced.
    """

    index: int
    start_sample: int
    samples: int
    next_start_sample: int
    present_samples: int
    log_mel_db: FloatArray
    patches: range

    @property
    def coverage(self) -> float:
        """Share of the window's samples that were not lost, 0 to 1."""
        return self.present_samples / self.samples


@dataclass(slots=True)
class _Group:
    first_frame: int
    log_mel_db: FloatArray


class FeatureStream:
    """Assembles patches and windows of one channel as samples arrive.

    Everything lies on grids that are counted from sample 0 of the stream: frames every hop, patches every
    `patch_hop_frames` frames, windows every `hop_s`. A gap moves no frame and no patch: the frames that it touches are
    missing, all others keep their bits.

    Nor does a gap move the windows, unless it is longer than `anew_after_s`: then it ends the window under way, and the
    next one starts behind it. So no gap, however long and wherever it falls, costs more than one window; where it fell
    on the border of two, each would lack more than it may.

    A patch is yielded as soon as its last frame is complete, a window as soon as its last sample is; a window's patches
    come before it. A patch that no window holds whole, as one on the border of two, is not yielded.

    Args:
        settings: The signal contract.
        window_s, hop_s: Length of a window, and from one start to the next.
        anew_after_s: Longest gap that the windows go on through.
        on_frames: Shown every frame as it is computed: the number of the first on the stream's grid, and `[k, n_mels]`.
    """

    def __init__(
        self,
        settings: SignalSettings,
        window_s: float,
        hop_s: float,
        anew_after_s: float = math.inf,
        *,
        on_frames: FrameTap | None = None,
        transform: LogMelTransform | None = None,
    ) -> None:
        self.settings = settings
        self.window_samples = round(window_s * settings.sample_rate_hz)
        self.hop_samples = round(hop_s * settings.sample_rate_hz)
        shortest = settings.n_fft + settings.hop_samples
        if self.window_samples < shortest or not 0 < self.hop_samples <= self.window_samples:
            raise SignalError(
                f"window_s {window_s} must hold at least {shortest} samples, "
                f"hop_s {hop_s} must be above 0 and at most window_s"
            )
        self._anew_after_samples = anew_after_s * settings.sample_rate_hz
        self._on_frames = on_frames
        self._frames = LogMelStream(settings, transform)
        self._group_samples = settings.patch_hop_frames * settings.hop_samples
        self._groups_per_patch = settings.patch_frames // settings.patch_hop_frames
        self._groups: list[_Group] = []
        self._gaps: list[range] = []
        self._position = 0  # next sample of the stream
        self._next_group = 0
        self._lost_frames = 0  # first frames of the group under way that a gap took
        self._next_window = 0
        self._window_start = 0  # of the next window
        self._last_patch: int | None = None  # of the next window, where it was asked for
        self._seen = 0  # where the previous window stopped

    @property
    def position(self) -> int:
        """Samples that the stream has covered, gaps included."""
        return self._position

    def push(self, samples: FloatArray) -> Iterable[Patch | Window]:
        """Take the next samples `[n]`, float32 at the contract's rate; what they complete, in order.

        All of it is to be taken before the next samples come.
        """
        position = self._position + len(samples)
        if position < self._window_stop() and self._frames.hold(samples):  # as most blocks of a device
            self._position = position
            return ()
        return self._push(samples)

    def _push(self, samples: FloatArray) -> Iterator[Patch | Window]:
        position = 0
        while position < len(samples):
            window_stop = self._window_stop()
            take = min(len(samples) - position, window_stop - self._position)
            yield from self._feed(samples[position : position + take])
            position += take
            self._position += take
            if self._position == window_stop:
                yield self._close_window(self.window_samples)

    def gap(self, count: int) -> Iterator[Window]:
        """`count` samples were lost here; yield the windows that end within them."""
        if count <= 0:
            return
        end = self._position + count
        self._gaps.append(range(self._position, end))
        self._keep_frames(self._frames.partial_frames())
        self._frames.reset()
        self._next_group = end // self._group_samples
        if count > self._anew_after_samples:
            if self._position > max(self._window_start, self._seen):
                yield self._close_window(self.window_samples, next_start=end)
            self._window_start = self._seen = end
            self._last_patch = None
            self._forget()
        while (window_stop := self._window_stop()) <= end:
            self._position = window_stop
            yield self._close_window(self.window_samples)
        self._position = end
        into_group = end - self._next_group * self._group_samples
        self._lost_frames = -(-into_group // self.settings.hop_samples)
        if len(self._frames.push(np.zeros(into_group, np.float32))):
            raise AssertionError("less than a group cannot complete one")

    def finish(self) -> Iterator[Window]:
        """End of the recording: yield the last, shorter window if any sample belongs to no earlier one."""
        if self._position > max(self._window_start, self._seen):
            yield self._close_window(self._position - self._window_start)

    def next_border(self, sample: int) -> int:
        """After a sample the next one at which a window starts or ends: those to come, and the one just closed."""
        starts, stops = (
            first + max(0, (sample - first) // self.hop_samples + 1) * self.hop_samples
            for first in (self._window_start, self._window_stop())
        )
        return min(border for border in (starts, stops, self._seen) if border > sample)

    @property
    def last_patch(self) -> int:
        """The last patch of the window that closes next: once it is there, that window waits for no other."""
        if self._last_patch is None:
            frames = self.settings.frames_within(self._window_start, self._window_stop())
            self._last_patch = self.settings.patches_within(frames).stop - 1
        return self._last_patch

    def open_patches(self) -> Iterator[Patch]:
        """The patches of windows that are still open, once more."""
        per_patch, per_group = self._groups_per_patch, self.settings.patch_hop_frames
        for at in range(len(self._groups) - per_patch + 1):
            groups = self._groups[at : at + per_patch]
            first = groups[0].first_frame
            whole = all(len(group.log_mel_db) == per_group for group in groups)
            held = first * self.settings.hop_samples >= self._window_start
            together = first % per_group == 0 and groups[-1].first_frame == first + (per_patch - 1) * per_group
            if whole and held and together:
                yield Patch(first // per_group, np.concatenate([group.log_mel_db for group in groups]))

    def _window_stop(self) -> int:
        return self._window_start + self.window_samples

    def _feed(self, samples: FloatArray) -> Iterator[Patch]:
        new = self._frames.push(samples)
        for place, log_mel_db in enumerate(new):
            self._keep_frames(log_mel_db)
            self._next_group += 1
            self._lost_frames = 0
            patch = self._latest_patch(new[: place + 1])
            if patch is not None:
                yield patch

    def _keep_frames(self, log_mel_db: FloatArray) -> None:
        """Keep the frames of the group under way that no gap touched."""
        if len(log_mel_db) > self._lost_frames:
            first = self._next_group * self.settings.patch_hop_frames
            group = _Group(first + self._lost_frames, log_mel_db[self._lost_frames :])
            self._groups.append(group)
            if self._on_frames is not None:
                self._on_frames(group.first_frame, group.log_mel_db)

    def _latest_patch(self, new: FloatArray) -> Patch | None:
        """The patch that the last of the new groups completes, where a window that is open holds it whole."""
        per_patch = self._groups_per_patch
        first = self._next_group - per_patch
        if first * self._group_samples < self._window_start:  # no window to come begins before it
            return None
        groups = self._groups[-per_patch:]
        whole = all(len(g.log_mel_db) == self.settings.patch_hop_frames for g in groups)
        if len(groups) < per_patch or not whole or groups[0].first_frame != first * self.settings.patch_hop_frames:
            return None
        if len(new) >= per_patch:  # they lie one after the other already: no copy
            return Patch(first, new[-per_patch:].reshape(-1, self.settings.n_mels))
        return Patch(first, np.concatenate([g.log_mel_db for g in groups]))

    def _close_window(self, length: int, next_start: int | None = None) -> Window:
        start, stop = self._window_start, self._window_start + length
        # what lies behind a gap that begins the windows anew is the next window's, not this one's
        until = stop if next_start is None else min(stop, next_start)
        frames = self.settings.frames_within(start, until)
        groups = list(self._groups)
        open_first = self._next_group * self.settings.patch_hop_frames + self._lost_frames
        if open_first < frames.stop:
            groups.append(_Group(open_first, self._frames.partial_frames()[self._lost_frames :]))
        parts = [
            g.log_mel_db[max(0, frames.start - g.first_frame) : max(0, frames.stop - g.first_frame)] for g in groups
        ]
        lost = sum(len(range(max(g.start, start), min(g.stop, until))) for g in self._gaps)
        window = Window(
            index=self._next_window,
            start_sample=start,
            samples=length,
            next_start_sample=start + self.hop_samples if next_start is None else next_start,
            present_samples=until - start - lost,
            log_mel_db=np.concatenate([*parts, np.empty((0, self.settings.n_mels), np.float32)]),
            patches=self.settings.patches_within(frames),
        )
        self._next_window += 1
        self._window_start, self._seen = window.next_start_sample, stop
        self._last_patch = None
        self._forget()
        return window

    def _forget(self) -> None:
        start = self._window_start
        per_group = self.settings.patch_hop_frames
        open_patch = (self._next_group * per_group - self.settings.patch_frames) // per_group
        keep_from = min(start // self.settings.hop_samples, open_patch * per_group)
        self._groups = [g for g in self._groups if g.first_frame + len(g.log_mel_db) > keep_from]
        self._gaps = [g for g in self._gaps if g.stop > start]


def patches_of_log_mel(log_mel_db: FloatArray, settings: SignalSettings, first_frame: int = 0) -> Iterator[Patch]:
    """Patches of a clip that exists only as log-mel frames.

    Args:
        log_mel_db: `[frames, n_mels]`, dB.
        settings: The signal contract.
        first_frame: Number of its first frame on the grid of the stream that it was cut from: patches lie on the grid
            of that stream; 0 for a recording of its own.
    """
    for index in settings.patches_within(range(first_frame, first_frame + len(log_mel_db))):
        first = index * settings.patch_hop_frames - first_frame
        yield Patch(index, np.ascontiguousarray(log_mel_db[first : first + settings.patch_frames]))
