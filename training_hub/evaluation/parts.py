"""What a protocol found, kept by everything it depends on: a long evaluation can be run in parts."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

import edge_agent
import training_hub
from training_hub.evaluation.context import Effort, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.report import CalibrationPoint, Confusion, Example, Row, ScatterPoint, ScoreSample, Skipped


class _Part(BaseModel):
    """The findings of one protocol, as a file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seconds: float
    rows: tuple[Row, ...]
    samples: tuple[ScoreSample, ...]
    calibration: tuple[CalibrationPoint, ...]
    confusion: Confusion | None
    scatter: tuple[ScatterPoint, ...]
    examples: tuple[Example, ...]
    skipped: tuple[Skipped, ...]


class PartStore:
    """Findings of protocols, one file each, named by a hash of what they were found with.

    Args:
        directory: Where the files lie; made where it is not there. None keeps nothing.
        ingredients: Everything that all protocols depend on: hashes of the bundle, the recordings and the code, seed.
    """

    def __init__(self, directory: Path | None, ingredients: Iterable[str]) -> None:
        self._directory = directory
        self._ingredients = list(ingredients)

    def find(self, protocol: str, effort: Effort) -> tuple[Findings, float] | None:
        """What was found before with the very same ingredients, and how long it took; None where nothing was.

        Raises:
            EvaluationError: The file is damaged.
        """
        path = self._path(protocol, effort)
        if path is None or not path.exists():
            return None
        try:
            part = _Part.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise EvaluationError(f"{path}: is damaged; remove it and evaluate again") from error
        findings = Findings(
            list(part.rows), list(part.samples), list(part.calibration), part.confusion,
            list(part.scatter), list(part.examples), list(part.skipped),
        )  # fmt: skip
        return findings, part.seconds

    def keep(self, protocol: str, effort: Effort, findings: Findings, seconds: float) -> None:
        """Write what was found; a crash leaves no half of it."""
        path = self._path(protocol, effort)
        if path is None:
            return
        part = _Part(
            seconds=seconds,
            rows=tuple(findings.rows),
            samples=tuple(findings.samples),
            calibration=tuple(findings.calibration),
            confusion=findings.confusion,
            scatter=tuple(findings.scatter),
            examples=tuple(findings.examples),
            skipped=tuple(findings.skipped),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(part.model_dump_json(), encoding="utf-8")
        os.replace(temporary, path)

    def _path(self, protocol: str, effort: Effort) -> Path | None:
        if self._directory is None:
            return None
        described = json.dumps([protocol, asdict(effort), self._ingredients], sort_keys=True)
        return self._directory / f"{protocol}-{hashlib.sha256(described.encode()).hexdigest()[:24]}.json"


def code_digest() -> str:
    """SHA-256 over the source of the agent and the hub: other code may find other figures."""
    sha = hashlib.sha256()
    for package in (edge_agent, training_hub):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            sha.update(f"{root.name}/{path.relative_to(root)}\n".encode())
            sha.update(path.read_bytes())
    return sha.hexdigest()


def file_digest(path: Path | None) -> str:
    """SHA-256 of a file; empty for none.

    Raises:
        EvaluationError: It cannot be read.
    """
    if path is None:
        return ""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror}") from error


def merge(into: Findings, found: Findings) -> None:
    """Add what one protocol found."""
    lists: tuple[tuple[list[Any], list[Any]], ...] = (
        (into.rows, found.rows),
        (into.samples, found.samples),
        (into.calibration, found.calibration),
        (into.scatter, found.scatter),
        (into.examples, found.examples),
        (into.skipped, found.skipped),
    )
    for target, source in lists:
        target.extend(source)
    into.confusion = found.confusion or into.confusion
