"""What a training run is asked to do, and the directory it keeps."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training_hub.training.dataset import Mix
from training_hub.training.errors import TrainingError


class TrainingPlan(BaseModel):
    """Everything that decides a run's result, but for the data; kept as `plan.json`.

    Attributes:
        mix: Which data.
        unseen_types: Recorded machine types that are left out, to be evaluated on.
        seed: Of weights, batches and augmentation.
        minutes: Time to spend; turned into a number of steps from the speed of the first ones, unless `steps` is given.
        steps: Number of steps, 0 for "by time".
        batch: Patches a step.
        learning_rate: Highest, after warm-up; falls along a cosine.
        weight_decay: Of AdamW.
        margin: Of the angular loss, rad.
        margin_growth: Share of the steps over which the margin grows from nothing.
        angular_weight: Share of the angular loss against plain cross entropy.
        label_smoothing: Of the plain cross entropy.
        description_weight: Of the error in describing the clean patch.
        background_weight: Of the loss of patches that are background alone, against that of others.
        averaging: Decay of the running mean of the weights, which is what is tested and exported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mix: Mix = Mix.CLEAN
    unseen_types: tuple[str, ...] = ()
    seed: int = 1
    minutes: Annotated[float, Field(gt=0, le=1440)] = 45.0
    steps: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    batch: Annotated[int, Field(ge=8, le=4096)] = 128
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.02
    margin: Annotated[float, Field(ge=0, le=1)] = 0.2
    margin_growth: Annotated[float, Field(ge=0, le=1)] = 0.3
    angular_weight: Annotated[float, Field(ge=0, le=1)] = 0.7
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    description_weight: Annotated[float, Field(ge=0, le=100)] = 2.0
    background_weight: Annotated[float, Field(ge=0, le=10)] = 0.5
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.999

    def check_resumes(self, directory: Path) -> None:
        """Write `plan.json`, or make sure that the one there is this plan.

        Raises:
            TrainingError: The directory holds another run.
        """
        path = directory / "plan.json"
        if not path.exists():
            directory.mkdir(parents=True, exist_ok=True)
            path.write_text(self.model_dump_json(indent=1) + "\n")
            return
        before = TrainingPlan.read(directory)
        if before != self:
            changed = [name for name in TrainingPlan.model_fields if getattr(before, name) != getattr(self, name)]
            raise TrainingError(
                f"{path}: another run ({', '.join(changed)} differ); give another --out or the same plan"
            )

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The plan of a run's directory."""
        try:
            return cls.model_validate_json((directory / "plan.json").read_text())
        except (OSError, ValidationError) as error:
            raise TrainingError(f"{directory / 'plan.json'}: {error}; give the directory of a training run") from error
