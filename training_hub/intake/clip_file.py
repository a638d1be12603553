"""Whether a file is a clip; told by its content, which is hostile until it was read to its end."""

from pathlib import Path

import soundfile

from edge_agent.sync.wire import AUDIO_TYPE, LOG_MEL_TYPE
from training_hub.features.decode import LOG_MEL, decode_frames
from training_hub.features.errors import FeatureError
from training_hub.intake.errors import IntakeError, Refused

SAMPLE_RATE_HZ = 16_000
MAX_CLIP_S = 600
_BLOCK = 1 << 18
_FLAC, _ZIP = b"fLaC", b"PK\x03\x04"


def media_type_of(path: Path) -> str:
    """The type of a clip's file.

    Raises:
        IntakeError: It is neither FLAC (16 kHz, mono, 16 bit, at most `MAX_CLIP_S`) nor an `.npz` of log-mel frames, or
            is damaged.
    """
    with path.open("rb") as file:
        first = file.read(4)
    if first == _FLAC:
        _check_flac(path)
        return AUDIO_TYPE
    if first == _ZIP:
        try:
            decode_frames(path.read_bytes(), LOG_MEL, name="the clip")
        except FeatureError as error:
            raise IntakeError(Refused.WRONG_TYPE, str(error)) from error
        return LOG_MEL_TYPE
    raise IntakeError(Refused.WRONG_TYPE, f"neither FLAC nor .npz: the content begins with {first!r}")


def _check_flac(path: Path) -> None:
    try:
        with soundfile.SoundFile(path) as file:
            found = (file.format, file.subtype, file.samplerate, file.channels)
            if found != ("FLAC", "PCM_16", SAMPLE_RATE_HZ, 1):
                raise IntakeError(Refused.WRONG_TYPE, f"{found}: a clip is FLAC, 16 bit, {SAMPLE_RATE_HZ} Hz, mono")
            if not 0 < file.frames <= MAX_CLIP_S * SAMPLE_RATE_HZ:
                raise IntakeError(Refused.WRONG_TYPE, f"{file.frames} samples; a clip has 1 to {MAX_CLIP_S} s")
            told, read = file.frames, 0
            samples = bytearray(2 * min(told, _BLOCK))
            while got := file.buffer_read_into(samples, dtype="int16"):
                read += got
    except (soundfile.LibsndfileError, OSError) as error:
        raise IntakeError(Refused.WRONG_TYPE, f"the FLAC is damaged: {error}") from error
    if read != told:
        raise IntakeError(Refused.WRONG_TYPE, f"the FLAC is cut off: {read} of {told} samples")
