"""How samples lie in a stream of bytes."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt


class SampleFormat(StrEnum):
    """Formats of raw samples, in the words of ffmpeg and ALSA."""

    S16LE = "s16le"
    S24LE = "s24le"
    S32LE = "s32le"
    F32LE = "f32le"
    F32BE = "f32be"

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return {"s16le": 2, "s24le": 3}.get(self.value, 4)

    def decode(self, data: bytes, channels: int) -> npt.NDArray[np.float32]:
        """Whole frames of interleaved samples as float32 `[n, channels]`, full scale = 1.0.

        >>> SampleFormat.S24LE.decode(bytes([0, 0, 0x40, 0, 0, 0x80]), channels=2).tolist()
        [[0.5, -1.0]]
        """
        match self:
            case SampleFormat.S16LE:
                samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(2**15)
            case SampleFormat.S24LE:
                padded = np.zeros((len(data) // 3, 4), np.uint8)
                padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
                samples = padded.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
            case SampleFormat.S32LE:
                samples = np.frombuffer(data, "<i4").astype(np.float32) / np.float32(2**31)
            case SampleFormat.F32LE:
                samples = np.frombuffer(data, "<f4").astype(np.float32)
            case SampleFormat.F32BE:
                samples = np.frombuffer(data, ">f4").astype(np.float32)
        return np.ascontiguousarray(samples.reshape(-1, channels))
