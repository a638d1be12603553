"""Any WAV, FLAC, MP3 or OGG to mono 16-bit samples at 16 kHz, in a process that a crafted file may crash."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training_hub.sounds import decode_child
from training_hub.sounds.errors import Refusal, SoundError

SAMPLE_RATE_HZ = 16_000
WINDOW_S = 10.0
WINDOW_SAMPLES = 160_000


class FileFacts(BaseModel):
    """What an uploaded file is.

    Attributes:
        format, subtype: As libsndfile names them: `WAV`, `PCM_16`.
        rate_hz: Its sample rate.
        channels: How many; they are averaged.
        duration_s: Its length.
        clipped_samples: At full scale, over all channels, in the part that was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Annotated[str, Field(max_length=32, description="Container.", examples=["WAV"])]
    subtype: Annotated[str, Field(max_length=32, description="Encoding.", examples=["PCM_16"])]
    rate_hz: Annotated[int, Field(description="Sample rate, Hz.", examples=[44_100])]
    channels: Annotated[int, Field(description="Channels; they are averaged.", examples=[2])]
    duration_s: Annotated[float, Field(description="Length, seconds.", examples=[31.4])]
    clipped_samples: Annotated[int, Field(description="Samples at full scale in what was read.", examples=[0])]


class Decoded:
    """A decoded file.

    Attributes:
        facts: What the file was.
        samples: `[n]` int16, 16 kHz.
    """

    def __init__(self, facts: FileFacts, samples: NDArray[np.int16]) -> None:
        self.facts = facts
        self.samples = samples

    @property
    def duration_s(self) -> float:
        """Length of the samples."""
        return len(self.samples) / SAMPLE_RATE_HZ


def decode(path: Path, *, longest_s: float, timeout_s: float, start_s: float = 0.0, cut: bool = False) -> Decoded:
    """Decode a file as hostile input.

    Args:
        path: A file of this process, whole.
        longest_s: Most that is taken.
        timeout_s: Longest that it may take, by the wall clock and by the processor.
        start_s: Where to begin.
        cut: Leave out what comes after `longest_s`; else a longer file is refused.

    Raises:
        SoundError: No such sound, or beyond a limit.
    """
    command = [sys.executable, "-P", "-m", decode_child.__name__]
    command += [repr(start_s), repr(longest_s), str(max(1, int(timeout_s))), "cut" if cut else "whole"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        with path.open("rb") as file:
            done = subprocess.run(
                command, stdin=file, capture_output=True, timeout=timeout_s + 5.0, check=False, env=environment
            )
    except subprocess.TimeoutExpired as error:
        raise SoundError(
            Refusal.LIMITS, f"decoding took longer than {timeout_s:.0f} s; give a shorter or simpler file"
        ) from error
    head, _, body = done.stdout.partition(b"\n")
    if done.returncode == decode_child.REFUSED:
        said = json.loads(head)
        raise SoundError(Refusal(said["refusal"]), f"the sound is not taken: {said['why']}")
    if done.returncode != 0:
        raise SoundError(
            Refusal.DAMAGED,
            f"the file crashed or overran its decoder ({done.returncode}); convert it to WAV or FLAC",
        )
    try:
        facts = FileFacts.model_validate_json(head)
    except ValidationError as error:
        raise SoundError(Refusal.DAMAGED, "the decoder is not understood; convert the file") from error
    return Decoded(facts, np.frombuffer(body, "<i2"))
