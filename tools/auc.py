#!/usr/bin/env python3
"""AUC and partial AUC of what `edge-agent replay --json` printed: replay --json PATH... | tools/auc.py --labels LABELS.

LABELS is a CSV with the columns `file` and `condition` (`normal`, else anomalous; paths are matched by their ends), an
`.npz` with `anomalous` (matched by clip), or `path`: a recording is normal if a folder of its path is called `normal`.
Windows of one recording are averaged first. Exit status 1 where there are not both kinds, or a recording has no label.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

BY_PATH = "path"


class LabelError(Exception):
    """Labels that do not fit the results; the message names the recording."""


@dataclass(frozen=True)
class Recording:
    """A recording that was replayed: its file and, of `.npz` files, the clip."""

    file: str
    clip: int | None


class Labels(Protocol):
    """Knows which recordings are anomalous."""

    def anomalous(self, recording: Recording) -> bool:
        """Whether it is; raises `LabelError` where that is not known."""


class PathLabels:
    """A recording is normal if one of its folders is called so."""

    def anomalous(self, recording: Recording) -> bool:
        """Whether no folder above the file is called `normal`."""
        return "normal" not in PurePosixPath(recording.file).parts[:-1]


class CsvLabels:
    """The columns `file` and `condition` of a CSV file."""

    def __init__(self, path: Path) -> None:
        with path.open(newline="", encoding="utf-8") as file:
            self._normal = {PurePosixPath(row["file"]): row["condition"] == "normal" for row in csv.DictReader(file)}

    def anomalous(self, recording: Recording) -> bool:
        """By the entry whose path is the end of the recording's."""
        parts = PurePosixPath(recording.file).parts
        for start in range(len(parts)):
            normal = self._normal.get(PurePosixPath(*parts[start:]))
            if normal is not None:
                return not normal
        raise LabelError(f"{recording.file}: the labels do not name it")


class NpzLabels:
    """The array `anomalous` of an `.npz` file."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            self._anomalous = arrays["anomalous"].astype(bool)
            self._machines = arrays["machine_id"].astype(str) if "machine_id" in arrays else None

    def anomalous(self, recording: Recording) -> bool:
        """By the index of the clip."""
        if recording.clip is None or recording.clip >= len(self._anomalous):
            raise LabelError(f"{recording.file}: clip {recording.clip} has no label")
        return bool(self._anomalous[recording.clip])

    def of_machine(self, recording: Recording, machine: str) -> bool:
        """Whether the clip is of this machine."""
        if self._machines is None or recording.clip is None or recording.clip >= len(self._machines):
            raise LabelError(f"{recording.file}: the labels name no machine for clip {recording.clip}")
        return bool(self._machines[recording.clip] == machine)


def read_labels(text: str) -> Labels:
    """Labels by path, from an `.npz` or from a CSV file."""
    if text == BY_PATH:
        return PathLabels()
    path = Path(text)
    return NpzLabels(path) if path.suffix == ".npz" else CsvLabels(path)


def mean_scores(lines: Iterable[str]) -> dict[Recording, float]:
    """Mean anomaly score of every recording in the lines of `replay --json`; windows without a score are left out."""
    scores: defaultdict[Recording, list[float]] = defaultdict(list)
    for line in lines:
        data = json.loads(line)["data"]
        if data["anomaly"] is not None:
            scores[Recording(data["file"], data.get("clip"))].append(data["anomaly"]["score"])
    return {recording: float(np.mean(values)) for recording, values in scores.items()}


def auc(normal: Sequence[float], anomalous: Sequence[float], *, max_fpr: float = 1.0) -> float:
    """Area under the ROC curve up to a false-alarm rate, standardised so that chance is 0.5 (McClish 1989).

    >>> auc([1.0, 2.0, 3.0], [2.5, 4.0])
    0.8333333333333334
    >>> auc([1.0, 1.0], [1.0, 1.0], max_fpr=0.1)
    0.5
    """
    thresholds = np.unique(np.concatenate([normal, anomalous]))[::-1]
    false_rate = np.array([0.0, *((np.asarray(normal) >= limit).mean() for limit in thresholds)])
    true_rate = np.array([0.0, *((np.asarray(anomalous) >= limit).mean() for limit in thresholds)])
    inside = false_rate <= max_fpr
    x = np.append(false_rate[inside], max_fpr)
    y = np.append(true_rate[inside], np.interp(max_fpr, false_rate, true_rate))
    area = float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2.0).sum())
    if max_fpr >= 1.0:
        return area
    chance = max_fpr**2 / 2.0
    return 0.5 * (1.0 + (area - chance) / (max_fpr - chance))


def main(argv: Sequence[str] | None = None) -> int:
    """Read results, print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", nargs="?", type=argparse.FileType(), default="-", metavar="JSONL")
    parser.add_argument("--labels", default=BY_PATH, help="CSV, .npz, or `path` (default)")
    parser.add_argument("--machine", metavar="ID", help="only this machine's clips (labels from an .npz)")
    arguments = parser.parse_args(argv)
    try:
        labels = read_labels(arguments.labels)
        scores = mean_scores(arguments.results)
        if arguments.machine is not None:
            if not isinstance(labels, NpzLabels):
                raise LabelError("--machine needs labels from an .npz with machine_id")
            scores = {r: score for r, score in scores.items() if labels.of_machine(r, arguments.machine)}
        scored = [(score, labels.anomalous(recording)) for recording, score in scores.items()]
    except (LabelError, OSError, ValueError, KeyError) as error:
        print(f"auc: {error}", file=sys.stderr)
        return 1
    normal = [score for score, odd in scored if not odd]
    anomalous = [score for score, odd in scored if odd]
    if not normal or not anomalous:
        print(f"auc: {len(normal)} normal and {len(anomalous)} anomalous recordings; it takes both", file=sys.stderr)
        return 1
    area, partial = auc(normal, anomalous), auc(normal, anomalous, max_fpr=0.1)
    print(f"AUC {area:.4f}  pAUC(0.1) {partial:.4f}  {len(normal)} normal, {len(anomalous)} anomalous recordings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
