"""Recordings listed in a `manifest.csv`, and under which terms they may train a model that is given away."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_agent.signal.resample import StreamResampler
from training_hub.training.errors import TrainingError
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.recording import Recording

_COLUMNS = ("file", "machine_type", "machine_id", "condition", "group", "licence")
_CLEAN_PREFIXES = ("MIT", "CC0", "CC BY 4.0", "Apache-2.0")
# Terms stated elsewhere than in the row; each with where.
_STATED_ELSEWHERE = {
    "a2212_M1": "CC BY 4.0 (stated for the upstream data set, Mendeley Data j4yr5fmhv4)",
    "a2212_M2": "CC BY 4.0 (stated for the upstream data set, Mendeley Data j4yr5fmhv4)",
}
_LONGEST_S = 600


def licence_of(row: dict[str, str]) -> str:
    """The terms of one row: its own column, or what the authors state elsewhere."""
    return _STATED_ELSEWHERE.get(row["machine_id"], row["licence"])


def is_clean(licence: str) -> bool:
    """Whether a model trained on such audio may be shipped: licences that allow it with attribution.

    >>> is_clean("MIT (LICENSE in repo)"), is_clean("CC BY-NC 3.0"), is_clean("none stated")
    (True, False, False)
    """
    return licence.startswith(_CLEAN_PREFIXES)


def read_rows(manifest: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The rows of a manifest with the paths of their files.

    Raises:
        TrainingError: No such file, a column is missing, or a file lies outside the manifest's directory.
    """
    root = manifest.parent.resolve()
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise TrainingError(f"{manifest}: no column {', '.join(missing)}; see the training guide")
            for row in reader:
                path = (root / row["file"]).resolve()
                if not path.is_relative_to(root):
                    raise TrainingError(f"{manifest}:{reader.line_num}: {row['file']} lies outside {root}")
                yield path, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{manifest}: {error}; give the manifest.csv of a set of recordings") from error


def load_recorded(manifest: Path, cache: FeatureCache, *, clean_only: bool) -> list[Recording]:
    """All recordings of a manifest.

    Args:
        manifest: The CSV file; `file` is relative to its directory, `group` names the recording session.
        cache: Where features are kept.
        clean_only: Leave out what a shipped model must not be trained on.

    Raises:
        TrainingError: A flaw in the manifest, or a file that cannot be read as sound.
    """
    recordings = []
    for path, row in read_rows(manifest):
        licence = licence_of(row)
        if clean_only and not is_clean(licence):
            continue
        stamp = path.stat() if path.exists() else None
        key = f"{path}|{stamp.st_size if stamp else 0}|{stamp.st_mtime_ns if stamp else 0}"
        recordings.append(
            Recording(
                name=row["file"],
                machine_id=row["machine_id"],
                machine_type=row["machine_type"],
                condition=row["condition"],
                group=row["group"],
                licence=licence,
                log_mel_db=cache.log_mel(key, lambda path=path: read_mono(path, cache.settings.sample_rate_hz)),  # type: ignore[misc]  # mypy cannot infer a lambda with a bound default
            )
        )
    return recordings


def read_mono(path: Path, rate_hz: int) -> NDArray[np.float32]:
    """The first channel of a sound file at `rate_hz`.

    Raises:
        TrainingError: No sound file, empty, or longer than ten minutes.
    """
    return decode_mono(path, rate_hz, name=str(path))


def decode_mono(content: Path | BinaryIO, rate_hz: int, *, name: str) -> NDArray[np.float32]:
    """The same of a file, or of one that is open.

    Raises:
        TrainingError: No sound file, empty, or longer than ten minutes; the message has its `name`.
    """
    try:
        with soundfile.SoundFile(content) as file:
            if not 0 < file.frames <= _LONGEST_S * file.samplerate:
                raise TrainingError(f"{name}: {file.frames / file.samplerate:.0f} s; expected up to {_LONGEST_S} s")
            native = file.samplerate
            samples: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)[:, 0]
    except (soundfile.SoundFileError, OSError) as error:
        raise TrainingError(f"{name}: {error}; give WAV or FLAC") from error
    if native == rate_hz:
        return np.ascontiguousarray(samples)
    resampler = StreamResampler(native, rate_hz)
    return np.concatenate([resampler.push(np.ascontiguousarray(samples)), resampler.flush()])
