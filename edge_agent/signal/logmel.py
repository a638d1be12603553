"""Log-mel spectrogram, streamed in groups of frames."""

from typing import Any

import ducc0
import numpy as np
from numpy.typing import NDArray

from edge_agent.signal.mel import slaney_mel_filters
from edge_agent.signal.settings import SignalSettings

FloatArray = NDArray[np.float32]

_BANDS_AT_ONCE = 32
_LINE_BYTES = 64
_BINS_OF_A_LINE = 8  # complex numbers of 8 bytes


class LogMelTransform:
    """Transforms one group of `settings.patch_hop_frames` frames at a time.

    A group always has the same size, and a row of the FFT and of the matrix product never depends on the other rows, so
    the bits of a frame depend on its samples and on its place in the group alone, not on how the samples arrived.
    Buffers are reused: one instance belongs to one thread, and may serve all channels of it.
    """

    def __init__(self, settings: SignalSettings) -> None:
        self.settings = settings
        group = settings.patch_hop_frames
        self.group_frames = group
        self.group_samples = (group - 1) * settings.hop_samples + settings.n_fft
        phase = 2.0 * np.pi * np.arange(settings.n_fft) / settings.n_fft
        hann = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)  # periodic
        self._hann = _aligned((group, settings.n_fft), np.float32)  # numpy takes twice as long over one row for all
        self._hann[...] = hann
        self._products = _banded(slaney_mel_filters(settings))
        self._floor = np.float32(settings.power_floor)
        self._frames = _aligned((group, settings.n_fft), np.float32)
        # rows that begin where a line of the cache does: the transform takes a fifth less
        row = -(-settings.n_bins // _BINS_OF_A_LINE) * _BINS_OF_A_LINE
        padded = _aligned((group, row), np.complex64)
        self._spectrum = padded[:, : settings.n_bins]
        self._parts = padded.view(np.float32).reshape(-1, 2)  # real and imaginary
        self._both = np.ones(2, np.float32)
        self._power = _aligned((group, row), np.float32)

    def transform(self, samples: FloatArray, out: FloatArray) -> None:
        """Log-mel of one group.

        Args:
            samples: `[group_samples]`, contiguous.
            out: `[group_frames, n_mels]`, dB re full scale, written.
        """
        self.mel_power(samples, out)
        self.to_db(out)

    def mel_power(self, samples: FloatArray, out: FloatArray) -> None:
        """Power in the mel bands of one group; arguments as of `transform`."""
        stride = samples.strides[0]
        # overlapping frames are a view; as_strided would take longer to say so than a third of the multiplication
        frames: FloatArray = np.ndarray(
            self._frames.shape, np.float32, samples, strides=(stride * self.settings.hop_samples, stride)
        )
        np.copyto(self._frames, frames)
        np.multiply(self._frames, self._hann, out=self._frames)
        self.fourier()
        np.square(self._parts, out=self._parts)
        np.matmul(
            self._parts, self._both, out=self._power.reshape(-1)
        )  # their sum; numpy adds every other number slowly
        self.mel_product(self._power, out)

    def to_db(self, power: FloatArray) -> None:
        """Powers of any number of frames as dB, in place."""
        np.maximum(power, self._floor, out=power)
        np.log10(power, out=power)
        np.multiply(power, np.float32(10.0), out=power)

    def fourier(self) -> None:
        """The transform alone, of what the frames' buffer holds."""
        ducc0.fft.r2c(self._frames, axes=(1,), out=self._spectrum, nthreads=1)

    def mel_product(self, power: FloatArray, out: FloatArray) -> None:
        """Power spectra `[group_frames, n_bins or more]` through the filter bank, into `[group_frames, n_mels]`."""
        for bins, bands, filters in self._products:
            np.matmul(power[:, bins], filters, out=out[:, bands])


def _aligned(shape: tuple[int, int], dtype: type[np.generic]) -> NDArray[Any]:
    """Zeros that begin where a line of the processor's cache does."""
    count = shape[0] * shape[1] * np.dtype(dtype).itemsize
    raw = np.zeros(count + _LINE_BYTES, np.uint8)
    first = -raw.ctypes.data % _LINE_BYTES
    return raw[first : first + count].view(dtype).reshape(shape)


def _banded(filters: FloatArray) -> tuple[tuple[slice, slice, FloatArray], ...]:
    """The filter bank `[n_mels, n_bins]` as a few dense products of neighbouring bands with the bins that they look at.

    A band looks at few bins: of the full product three quarters would be zeros. Finer pieces cost more in calls than
    they save.
    """
    products = []
    for first in range(0, len(filters), _BANDS_AT_ONCE):
        some = filters[first : first + _BANDS_AT_ONCE]
        used = np.flatnonzero(some.any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        products.append((bins, slice(first, first + len(some)), np.ascontiguousarray(some[:, bins].T)))
    return tuple(products)


class LogMelStream:
    """Samples in, in any split; groups of frames out, always the same ones.

    Frame k covers samples `[k * hop, k * hop + n_fft)` counted from the last `reset`.

    Args:
        settings: The signal contract.
        transform: The thread's own, shared by its streams; half a megabyte for each stream that brings its own.
    """

    def __init__(self, settings: SignalSettings, transform: LogMelTransform | None = None) -> None:
        self.settings = settings
        self._transform = transform or LogMelTransform(settings)
        self._step = settings.patch_hop_frames * settings.hop_samples
        self._buffer = np.empty(self._transform.group_samples + self._step, np.float32)
        self._filled = 0

    @property
    def group_frames(self) -> int:
        """Frames in a group."""
        return self._transform.group_frames

    def reset(self) -> None:
        """Forget the samples that wait for their group: the next sample pushed is sample 0 of frame 0."""
        self._filled = 0

    def hold(self, samples: FloatArray) -> bool:
        """Take samples `[n]` that complete no group; False, and nothing is taken, where they do."""
        filled = self._filled + len(samples)
        if filled >= self._transform.group_samples:
            return False
        self._buffer[self._filled : filled] = samples
        self._filled = filled
        return True

    def push(self, samples: FloatArray) -> FloatArray:
        """Take samples `[n]`; the groups that they complete, a new array `[groups, group_frames, n_mels]`."""
        complete = max(0, (self._filled + len(samples) - self._transform.group_samples) // self._step + 1)
        groups = np.empty((complete, self.group_frames, self.settings.n_mels), np.float32)
        self._mel_powers(samples, groups)
        if complete:
            self._transform.to_db(groups)
        return groups

    def _mel_powers(self, samples: FloatArray, groups: FloatArray) -> None:
        """Write the groups that samples complete, not yet in dB."""
        need, step = self._transform.group_samples, self._step
        position, done = 0, 0
        while position < len(samples):
            if self._filled == 0 and len(samples) - position >= need:  # whole groups straight from the block: no copy
                self._transform.mel_power(np.ascontiguousarray(samples[position : position + need]), groups[done])
                done += 1
                position += step
                continue
            take = min(need - self._filled, len(samples) - position)
            self._buffer[self._filled : self._filled + take] = samples[position : position + take]
            self._filled += take
            position += take
            if self._filled == need:
                self._transform.mel_power(self._buffer[:need], groups[done])
                done += 1
                keep = need - step
                if take >= keep:
                    self._filled, position = 0, position - keep  # they are in the block, too
                else:
                    self._buffer[:keep] = self._buffer[step:need].copy()
                    self._filled = keep

    def partial_frames(self) -> FloatArray:
        """The frames that are complete in the group under way, `[k, n_mels]`, k below `group_frames`.

        They have the bits that they will have in the whole group.
        """
        complete = max(0, (self._filled - self.settings.n_fft) // self.settings.hop_samples + 1)
        if complete == 0:
            return np.empty((0, self.settings.n_mels), np.float32)
        self._buffer[self._filled : self._transform.group_samples] = 0.0
        out = np.empty((self.group_frames, self.settings.n_mels), np.float32)
        self._transform.transform(self._buffer[: self._transform.group_samples], out)
        return out[:complete]


def log_mel_db(samples: FloatArray, settings: SignalSettings | None = None) -> FloatArray:
    """Log-mel spectrogram of a whole recording, through the code that streams.

    Args:
        samples: `[n]` at `settings.sample_rate_hz`, full scale 1.0.
        settings: The signal contract; the standard one if not given.

    Returns:
        `[frames, n_mels]` in dB, with `10 * log10(max(power, floor))`, frames that lie wholly inside the recording.
    """
    stream = LogMelStream(settings or SignalSettings())
    parts = list(stream.push(np.ascontiguousarray(samples, np.float32)))
    parts.append(stream.partial_frames())
    return np.concatenate(parts)
