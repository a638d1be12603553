"""A run's history: one JSON line per report, and the picture of it."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

HISTORY = "history.jsonl"
CURVES = "curves.png"


class HistoryPoint(BaseModel):
    """Means since the point before.

    Attributes:
        step: Steps done.
        loss: Whole loss.
        accuracy: Share of unmixed, augmented training patches whose machine is recognised.
        test_accuracy: The same of held-out patches, unchanged; None where not measured at this point.
        learning_rate: In force.
        step_s: Seconds a step took.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: Annotated[int, Field(ge=0)]
    loss: float
    accuracy: float
    test_accuracy: float | None = None
    learning_rate: float
    step_s: float


def append(directory: Path, point: HistoryPoint) -> None:
    """Add a point."""
    with (directory / HISTORY).open("a") as file:
        file.write(point.model_dump_json() + "\n")


def read(directory: Path, until_step: int) -> list[HistoryPoint]:
    """Points up to a step; a run killed after its last checkpoint has later ones, which will be made again."""
    path = directory / HISTORY
    if not path.exists():
        return []
    points = [HistoryPoint.model_validate_json(line) for line in path.read_text().splitlines() if line.endswith("}")]
    return [point for point in points if point.step <= until_step]


def rewrite(directory: Path, points: list[HistoryPoint]) -> None:
    """Replace the history, after a resume."""
    (directory / HISTORY).write_text("".join(point.model_dump_json() + "\n" for point in points))


def draw_curves(directory: Path, points: list[HistoryPoint]) -> Path:
    """Write `curves.png`: loss and accuracies over steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # needed at the end of a run only
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    steps = [point.step for point in points]
    left.plot(steps, [point.loss for point in points], color="tab:blue")
    left.set(xlabel="step", ylabel="loss", title="Training loss")
    right.plot(steps, [point.accuracy for point in points], color="tab:blue", label="training, augmented")
    measured = [(point.step, point.test_accuracy) for point in points if point.test_accuracy is not None]
    right.plot([s for s, _ in measured], [a for _, a in measured], "o-", color="tab:orange", label="held-out groups")
    right.set(xlabel="step", ylabel="share of patches", ylim=(0, 1), title="Machine recognised")
    right.legend(loc="lower right")
    figure.savefig(directory / CURVES, dpi=110)
    return directory / CURVES
