"""The signal contract: the numbers that every model and profile depends on."""

import json
from dataclasses import asdict, dataclass

MIN_RATE_HZ = 8_000
"""Lowest native rate accepted; below it less than half of the mel bands carries sound."""

MAX_RATE_HZ = 192_000
"""Highest native rate accepted; the fastest that audio interfaces offer."""


class SignalError(ValueError):
    """Samples or settings that the signal path cannot work with."""


@dataclass(frozen=True, slots=True)
class SignalSettings:
    """What turns samples into log-mel frames. Two equal settings give equal bits.

    Attributes:
        sample_rate_hz: Rate of the samples after resampling.
        n_fft: Length of a frame and of its Fourier transform, samples.
        hop_samples: Distance between the starts of frames, samples.
        n_mels: Number of Slaney mel bands.
        f_min_hz: Lower edge of the first band.
        f_max_hz: Upper edge of the last band.
        power_floor: Smallest power; the logarithm of silence is `10 * log10(power_floor)` dB.
        patch_frames: Frames of one encoder input.
        patch_hop_frames: Distance between the starts of patches, frames; also the size of the groups that are
            transformed at once.
    """

    sample_rate_hz: int = 16_000
    n_fft: int = 1024
    hop_samples: int = 512
    n_mels: int = 128
    f_min_hz: float = 0.0
    f_max_hz: float = 8_000.0
    power_floor: float = 1e-10
    patch_frames: int = 64
    patch_hop_frames: int = 32

    def __post_init__(self) -> None:
        """Refuse settings with which the path cannot work."""
        if self.n_fft % self.hop_samples or self.patch_frames % self.patch_hop_frames:
            raise SignalError(
                f"n_fft {self.n_fft} must be a multiple of hop_samples {self.hop_samples}, "
                f"patch_frames {self.patch_frames} of patch_hop_frames {self.patch_hop_frames}"
            )
        if not 0 <= self.f_min_hz < self.f_max_hz <= self.sample_rate_hz / 2:
            raise SignalError(f"mel range {self.f_min_hz}-{self.f_max_hz} Hz does not fit {self.sample_rate_hz} Hz")

    @property
    def n_bins(self) -> int:
        """Number of bins of the one-sided spectrum."""
        return self.n_fft // 2 + 1

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal: what a bundle pins."""
        import hashlib  # noqa: PLC0415  brings OpenSSL: 3.5 MB, of which the process of a device needs nothing

        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def frames_within(self, start_sample: int, stop_sample: int) -> range:
        """Indices of the frames that lie wholly within `[start_sample, stop_sample)`.

        >>> SignalSettings().frames_within(0, 160_000)
        range(0, 311)
        """
        first = -(-start_sample // self.hop_samples)
        stop = (stop_sample - self.n_fft) // self.hop_samples + 1
        return range(first, max(first, stop))

    def patches_within(self, frames: range) -> range:
        """Indices of the patches that lie wholly within `frames`; patch p starts at frame `p * patch_hop_frames`.

        >>> SignalSettings().patches_within(range(0, 311))
        range(0, 8)
        """
        first = -(-frames.start // self.patch_hop_frames)
        stop = (frames.stop - self.patch_frames) // self.patch_hop_frames + 1
        return range(first, max(first, stop))
