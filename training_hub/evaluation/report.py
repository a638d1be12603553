"""The report as data: everything the page and the table show, and nothing that they compute."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training_hub.evaluation.errors import EvaluationError

REPORT_NAME = "report.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Figure(_Part):
    """One number with its 95 % bootstrap interval over recordings, where one was drawn."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


class Row(_Part):
    """One system on one case.

    Attributes:
        protocol: The protocol.
        case: What was done to the sound, or how many clips commissioned.
        machine_type: Type of the machine; `all` for figures over all of them.
        machine_id: The machine; `mean` for the mean over the machines of a type, `worst` for the lowest.
        system: Name of the system.
        draws: How many times commissioning clips were drawn.
        refused: How many of those commissioning refused.
        normal_clips: Normal clips tested on, in the first draw.
        anomalous_clips: Anomalous ones.
        figures: What came out.
        note: What a reader must know.
    """

    protocol: str
    case: str
    machine_type: str
    machine_id: str
    system: str
    draws: int = 1
    refused: int = 0
    normal_clips: int = 0
    anomalous_clips: int = 0
    figures: tuple[Figure, ...] = ()
    note: str = ""

    def figure(self, name: str) -> float | None:
        """The value of a figure, if the row has it."""
        return next((figure.value for figure in self.figures if figure.name == name), None)


class ScoreSample(_Part):
    """Scores of one draw, for curves and histograms."""

    protocol: str
    case: str
    machine: str
    system: str
    normal: tuple[float, ...]
    anomalous: tuple[float, ...]


class CalibrationPoint(_Part):
    """A nominal false-alarm rate and what held-out normal clips made of it."""

    system: str
    machine: str
    nominal: float
    realised: float
    clips: int


class Confusion(_Part):
    """How windows were named: rows are what was heard, columns what was said, in shares of the row."""

    heard: tuple[str, ...]
    said: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]
    clips: tuple[int, ...]


class ScatterPoint(_Part):
    """One clip's embedding on the first two principal components."""

    x: float
    y: float
    label: str
    anomalous: bool


class Band(_Part):
    """One third octave's part in a score."""

    centre_hz: float
    contribution: float


class Example(_Part):
    """A clip to look at: its spectrogram as PNG, and which bands spoke for its score."""

    title: str
    score: float
    threshold: float
    png_base64: str
    bands: tuple[Band, ...]


class TargetLine(_Part):
    """One line of what must be shown.

    Attributes:
        case: What is measured.
        figure: Which figure of it.
        target: The bound.
        at_least: Whether the figure must reach the bound; else it must stay below it.
        value: What was found; None where it was not measured.
        low, high: Bootstrap interval, where there is one.
        beside: What others reach.
        note: How it was measured.
        quick: Measured with less work than the line asks for, which proves nothing.
    """

    case: str
    figure: str
    target: float
    at_least: bool
    value: float | None
    quick: bool = False
    low: float | None = None
    high: float | None = None
    beside: str = ""
    note: str = ""

    @property
    def verdict(self) -> Literal["met", "short", "not measured", "quick"]:
        """Whether the bound is kept, to the three digits that it is given with."""
        if self.value is None:
            return "not measured"
        if self.quick:
            return "quick"
        found = round(self.value, 3) if self.at_least else self.value
        return "met" if (found >= self.target if self.at_least else found <= self.target) else "short"


class Skipped(_Part):
    """What was left out, and why."""

    what: str
    reason: str


class SystemEntry(_Part):
    """A system's line in the legend."""

    name: str
    title: str
    family: str


class DataSummary(_Part):
    """What was evaluated on."""

    name: str
    machines: int
    normal_clips: int
    anomalous_clips: int
    background_clips: int


class BundleSummary(_Part):
    """Which bundle, by name, version and hash."""

    name: str
    version: str
    sha256: str


class Report(_Part):
    """Everything found in one run; `report.json`."""

    schema_version: Literal[1] = 1
    agent_version: str
    bundle: BundleSummary
    data: DataSummary
    seed: int
    quick: bool
    seconds: Annotated[float, Field(ge=0)]
    protocols: tuple[str, ...]
    systems: tuple[SystemEntry, ...]
    skipped: tuple[Skipped, ...]
    rows: tuple[Row, ...]
    samples: tuple[ScoreSample, ...]
    calibration: tuple[CalibrationPoint, ...]
    confusion: Confusion | None
    scatter: tuple[ScatterPoint, ...]
    examples: tuple[Example, ...]
    targets: tuple[TargetLine, ...]
    notes: str

    def write(self, directory: Path) -> Path:
        """Write `report.json`."""
        path = directory / REPORT_NAME
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> "Report":
        """Read a report.

        Raises:
            EvaluationError: No such file, or not a report of this version.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise EvaluationError(f"{path}: {error}; evaluate again") from error
