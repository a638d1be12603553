"""The manifest of a speech detector: a small bundle of its own.

It is not part of the bundle that judges machines: a site that brings its own model for those must not lose the screen
that keeps people's words off the disk, and the two are trained, measured and rolled out each at its own pace.
"""

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from edge_agent.record import StrictRecord
from edge_agent.speech.errors import SpeechError

MANIFEST_NAME = "manifest.json"
MODEL_NAME = "speech.tflite"
MAX_MANIFEST_BYTES = 64 << 10
MAX_MODEL_BYTES = 1 << 20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=2000)]


class Figure(StrictRecord):
    """One measured result; `on` says with what and how."""

    name: Text
    value: float
    on: Text


class SpeechManifest(StrictRecord):
    """What the agent must know of a detector.

    Attributes:
        schema_version: Of this file.
        name, version, licence: Of the detector.
        signal_sha256: Hash of the signal settings whose frames it takes.
        model_sha256: Hash of `speech.tflite`, which takes `[n, 64, 128]` of `features.speech_patches` and gives the
            logit of speech.
        threshold: Logit from which a patch counts as speech.
        trained_on: On what.
        seed, steps: How.
        results: What was measured.
    """

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    version: Annotated[str, Field(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$")]
    licence: Text
    signal_sha256: Sha256
    model_sha256: Sha256
    threshold: float
    trained_on: Text
    seed: int
    steps: Annotated[int, Field(ge=0)]
    results: Annotated[tuple[Figure, ...], Field(max_length=256)] = ()


def parse_manifest(content: bytes, *, name: str) -> SpeechManifest:
    """Read a manifest as hostile input.

    Raises:
        SpeechError: It is none; names the file and the key.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise SpeechError(f"{name}: {len(content)} bytes; a manifest has at most {MAX_MANIFEST_BYTES}")
    try:
        return SpeechManifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise SpeechError(f"{name}: {where}: {first['msg']}; install the detector again") from error
