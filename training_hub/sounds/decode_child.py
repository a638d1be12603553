"""The child process of `decode`: the file on standard input to mono 16-bit samples at 16 kHz on standard output.

A decoder may be crashed or led into hours of work by a crafted file; here that costs a process with bounded memory and
time. First a line of JSON, then the samples, little endian. Exit status 3: refused, the line says why.
"""

import json
import resource
import sys
from typing import Any

import numpy as np
import soundfile

from edge_agent.signal.resample import StreamResampler

REFUSED = 3
_MEMORY_BYTES = 1 << 30
_BLOCK_SAMPLES = 1 << 18
_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"})
_MIN_RATE_HZ, _MAX_RATE_HZ = 8_000, 192_000
_MAX_CHANNELS = 32
_MAX_PEAK = 8.0
_FULL_SCALE = 32_768.0
_TARGET_HZ = 16_000


class Refused(Exception):  # noqa: N818  # it is no error of this program
    """The file is not taken."""

    def __init__(self, refusal: str, why: str) -> None:
        super().__init__(why)
        self.refusal = refusal


def main(arguments: list[str]) -> int:
    """Decode; arguments: where to start and how much at most, seconds; CPU seconds; whether to cut what is longer."""
    start_s, longest_s, cpu_s, cut = float(arguments[0]), float(arguments[1]), int(arguments[2]), arguments[3] == "cut"
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    try:
        facts, samples = _decode(start_s, longest_s, cut=cut)
    except Refused as refused:
        print(json.dumps({"refusal": refused.refusal, "why": str(refused)[:400]}))
        return REFUSED
    except (soundfile.LibsndfileError, RuntimeError, MemoryError) as error:
        refusal = "format" if "not recognised" in str(error) else "damaged"
        print(json.dumps({"refusal": refusal, "why": f"it cannot be decoded ({str(error)[:200]})"}))
        return REFUSED
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n" + samples.tobytes())
    return 0


def _decode(start_s: float, longest_s: float, *, cut: bool) -> tuple[dict[str, Any], Any]:
    with soundfile.SoundFile(0, closefd=False) as file:
        rate_hz, channels = int(file.samplerate), int(file.channels)
        _check(file, longest_s, cut=cut)
        resampler = StreamResampler(rate_hz, _TARGET_HZ)
        skip, most = round(start_s * rate_hz), round(longest_s * rate_hz)
        read = kept = clipped = 0
        parts: list[Any] = []
        while True:
            block = file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)
            read += len(block)
            if not len(block) or (cut and kept >= most):
                break
            if read > skip + most and not cut:
                raise Refused("limits", f"it is longer than {longest_s:.0f} s; cut it")
            if not np.max(np.abs(block)) <= _MAX_PEAK:  # false for NaN too
                raise Refused("damaged", "it holds samples that are no sound (NaN, or far beyond full scale)")
            clipped += int(np.count_nonzero(np.abs(block) >= 0.9999))
            mono = block.mean(axis=1, dtype=np.float32)
            wanted = mono[max(0, skip - (read - len(block))) :][: most - kept]
            kept += len(wanted)
            if len(wanted):
                parts.append(resampler.push(np.ascontiguousarray(wanted)))
        parts.append(resampler.flush())
        samples = np.concatenate(parts) if parts else np.empty(0, np.float32)
        if not kept:
            raise Refused("limits", f"it holds no sound after {start_s:g} s")
        facts = {
            "format": str(file.format),
            "subtype": str(file.subtype),
            "rate_hz": rate_hz,
            "channels": channels,
            "duration_s": max(int(file.frames), read) / rate_hz if 0 < file.frames < 1 << 40 else read / rate_hz,
            "clipped_samples": clipped,
        }
    return facts, np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")


def _check(file: Any, longest_s: float, *, cut: bool) -> None:  # noqa: ANN401  # soundfile has no types
    if file.format not in _FORMATS:
        raise Refused("format", f"it is {file.format}; give WAV, FLAC, MP3 or OGG")
    if not _MIN_RATE_HZ <= file.samplerate <= _MAX_RATE_HZ:
        raise Refused("limits", f"its rate is {file.samplerate} Hz; {_MIN_RATE_HZ} to {_MAX_RATE_HZ} Hz are taken")
    if not 1 <= file.channels <= _MAX_CHANNELS:
        raise Refused("limits", f"it has {file.channels} channels; at most {_MAX_CHANNELS} are taken")
    if not cut and file.frames > longest_s * file.samplerate and file.frames < 1 << 40:
        raise Refused("limits", f"it lasts {file.frames / file.samplerate:.0f} s; at most {longest_s:.0f} s are taken")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
