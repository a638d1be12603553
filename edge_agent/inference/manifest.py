"""The manifest of a bundle: what its files are, what goes in and out of its model, what was measured."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.inference.errors import BundleError
from edge_agent.record import StrictRecord
from edge_agent.signal.settings import SignalSettings

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
GOLDEN_NAME = "golden.npz"
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 64 << 20

# One optional directory; each part starts with a letter or digit: neither "..", "/etc" nor a hidden file can be said.
_FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$"
FileName = Annotated[str, Field(pattern=_FILE_NAME, max_length=129)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$")]
Text = Annotated[str, Field(max_length=2000)]


class FileEntry(StrictRecord):
    """One file of the bundle."""

    path: FileName
    sha256: Sha256
    size: Annotated[int, Field(ge=1, le=MAX_FILE_BYTES)]


class Label(StrictRecord):
    """What one logit stands for."""

    machine_id: Id
    machine_type: Id


class InputSpec(StrictRecord):
    """How log-mel frames become the model's input.

    `patch` models take one patch of `frames` frames at a time; `stacked_frames` models take every run of `frames`
    consecutive frames as one vector (five frames of 128 bands are the 640 values of the MLPerf Tiny autoencoder).
    A value is `(log_mel_db - level - mean_db[band]) / std_db`, where `level` is the mean of the whole patch if
    `remove_level`, else 0, and is clipped to +-`clip` where that is given. Its quantisation is in the model file.
    """

    layout: Literal["patch", "stacked_frames"]
    frames: Annotated[int, Field(ge=1, le=1024)]
    order: Literal["frames_bands", "bands_frames"] = "frames_bands"
    remove_level: bool
    mean_db: float | Annotated[tuple[float, ...], Field(min_length=1, max_length=1024)] = 0.0
    std_db: Annotated[float, Field(gt=0)] = 1.0
    clip: Annotated[float, Field(gt=0)] | None = None


class OutputSpec(StrictRecord):
    """What one output of the model means.

    `embedding`: a vector that places the sound among others. `logits`: one value per label, in their order.
    `reconstruction`: the input again; its mean squared difference from the input is an anomaly score in squared units
    of the standardised input. `reduction` is how several vectors of one patch become one value (stacked frames only).
    """

    tensor: Annotated[int, Field(ge=0, le=15)]
    semantics: Literal["embedding", "logits", "reconstruction"]
    size: Annotated[int, Field(ge=1, le=65536)]
    reduction: Literal["mean", "max"] = "mean"


class EncoderSpec(StrictRecord):
    """The model file and its tensors."""

    file: FileName
    input: InputSpec
    outputs: Annotated[tuple[OutputSpec, ...], Field(min_length=1, max_length=3)]

    @model_validator(mode="after")
    def _check_outputs(self) -> Self:
        kinds = [output.semantics for output in self.outputs]
        tensors = [output.tensor for output in self.outputs]
        if len(set(kinds)) != len(kinds) or len(set(tensors)) != len(tensors):
            raise ValueError("each tensor and each of embedding, logits, reconstruction may stand once in outputs")
        return self

    def output(self, semantics: str) -> OutputSpec | None:
        """The output with these semantics, if the model has one."""
        return next((output for output in self.outputs if output.semantics == semantics), None)


class DataSource(StrictRecord):
    """One body of training data and the terms it came under."""

    name: Text
    licence: Text
    recordings: Annotated[int, Field(ge=0)]
    note: Text = ""


class Training(StrictRecord):
    """How the encoder came to be."""

    data: tuple[DataSource, ...]
    seed: int
    steps: Annotated[int, Field(ge=0)]
    minutes: Annotated[float, Field(ge=0)]
    note: Text = ""


class Measurement(StrictRecord):
    """One measured result; `on` says with what data and how."""

    name: Text
    value: float
    unit: Text = ""
    on: Text = ""


class BundleRef(StrictRecord):
    """Which bundle made a result: its name, version and the SHA-256 of its manifest."""

    name: Id
    version: Version
    sha256: Sha256


class Manifest(StrictRecord):
    """Everything the agent must know about a bundle; `manifest.json` in its directory."""

    schema_version: Literal[1]
    name: Id
    version: Version
    description: Text = ""
    licence: Text
    minimum_agent_version: Version
    signal: SignalSettings
    signal_sha256: Sha256
    encoder: EncoderSpec
    labels: Annotated[tuple[Label, ...], Field(max_length=4096)] = ()
    golden_tolerance_lsb: Annotated[int, Field(ge=0, le=16)] = 2
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1, max_length=256)]
    training: Training | None = None
    results: Annotated[tuple[Measurement, ...], Field(max_length=256)] = ()

    @model_validator(mode="after")
    def _check_agreement(self) -> Self:
        paths = [entry.path for entry in self.files]
        if len({path.lower() for path in paths}) != len(paths):
            raise ValueError("a path stands twice in files")
        if MANIFEST_NAME in paths:
            raise ValueError(f"{MANIFEST_NAME} cannot list itself in files")
        if self.encoder.file not in paths:
            raise ValueError(f"encoder.file {self.encoder.file!r} is not among files")
        if self.signal_sha256 != self.signal.hash:
            raise ValueError(f"signal_sha256 {self.signal_sha256[:12]}... is not the hash of signal")
        logits = self.encoder.output("logits")
        if (logits.size if logits else 0) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels for {logits.size if logits else 0} logits")
        mean = self.encoder.input.mean_db
        if isinstance(mean, tuple) and len(mean) != self.signal.n_mels:
            raise ValueError(f"input.mean_db has {len(mean)} values for {self.signal.n_mels} bands")
        if self.encoder.input.layout == "patch" and self.encoder.input.frames != self.signal.patch_frames:
            raise ValueError(f"input.frames is {self.encoder.input.frames}, a patch has {self.signal.patch_frames}")
        if self.encoder.input.frames > self.signal.patch_frames:
            raise ValueError(f"input.frames {self.encoder.input.frames} exceeds a patch of {self.signal.patch_frames}")
        return self

    @property
    def file_names(self) -> tuple[str, ...]:
        """Paths of all listed files."""
        return tuple(entry.path for entry in self.files)

    @property
    def machine_types(self) -> tuple[str, ...]:
        """Machine types with priors of their own, from the files `types/<type>.npz`."""
        return self._stems("types/")

    @property
    def fault_types(self) -> tuple[str, ...]:
        """Machine types with faults that operators named, from the files `faults/<type>.npz`."""
        return self._stems("faults/")

    def _stems(self, directory: str) -> tuple[str, ...]:
        found = (name for name in self.file_names if name.startswith(directory) and name.endswith(".npz"))
        return tuple(sorted(Path(name).stem for name in found))


class _Versioned(BaseModel):
    model_config = ConfigDict(cache_strings="none", defer_build=True)

    schema_version: int


def is_file_name(name: str) -> bool:
    """Whether a file of a bundle may have this path."""
    return re.fullmatch(_FILE_NAME[1:-1], name) is not None


def parse_manifest(content: bytes, *, path: Path) -> Manifest:
    """Read a manifest from the bytes of its file.

    Raises:
        BundleError: Too large, no JSON, of another schema version, a value out of place; names `path` and the key.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{path}: {len(content)} bytes; a manifest has at most {MAX_MANIFEST_BYTES}")
    try:
        found = _Versioned.model_validate_json(content).schema_version
        if found != SCHEMA_VERSION:
            raise BundleError(
                f"{path}: schema_version {found}, this agent reads {SCHEMA_VERSION}; "
                + ("update the agent" if found > SCHEMA_VERSION else "export the bundle again")
            )
        return Manifest.model_validate_json(content)
    except ArithmeticError as error:  # signal settings of 0 samples
        raise BundleError(f"{path}: signal: {error}; export the bundle again") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise BundleError(f"{path}: {where}: {first['msg']} ({error.error_count()} flaws in all)") from error
