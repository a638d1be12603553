"""What a finished run leaves for conversion and export."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edge_agent.inference.manifest import DataSource, InputSpec, Label
from training_hub.training.errors import TrainingError

RECORD = "run.json"
KERAS_MODEL = "encoder.keras"


class RunRecord(BaseModel):
    """The facts of a run; `run.json`.

    Attributes:
        mix: Which data.
        unseen_types: Recorded machine types that were left out.
        seed: Of the run.
        steps: Steps done.
        minutes: Time they took.
        labels: What the logits stand for.
        input: How patches are scaled.
        sources: Where the data came from.
        parameters: Weights of the net.
        macs: Multiply-accumulates of a patch.
        float_accuracy: Share of held-out patches recognised by the float net.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mix: str
    unseen_types: tuple[str, ...] = ()
    seed: int
    steps: int
    minutes: float
    labels: tuple[Label, ...]
    input: InputSpec
    sources: tuple[DataSource, ...]
    parameters: int
    macs: int
    float_accuracy: float

    @classmethod
    def read(cls, directory: Path) -> "RunRecord":
        """The record in a run's directory.

        Raises:
            TrainingError: There is none: the run has not finished.
        """
        try:
            return cls.model_validate_json((directory / RECORD).read_text())
        except (OSError, ValidationError) as error:
            raise TrainingError(f"{directory / RECORD}: {error}; let `training-hub train` finish first") from error

    def write(self, directory: Path) -> None:
        """Write `run.json`."""
        (directory / RECORD).write_text(self.model_dump_json(indent=1) + "\n")
