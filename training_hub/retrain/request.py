"""What a retraining is asked to do: the parameters of a job of the kind `retrain`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.inference.manifest import Id, Sha256, Version
from training_hub.retrain.errors import RetrainError

Part = Literal["types", "weights", "faults", "encoder"]
ORDER: tuple[Part, ...] = ("encoder", "types", "weights", "faults")


class RetrainRequest(BaseModel):
    """What to learn, and from where to begin.

    Attributes:
        what: `types` (precisions and priors), `weights` (of detectors), `faults` (names of faults), `encoder`.
        base: SHA-256 of the bundle to begin with; the one in use where none is given.
        name: Of the new bundle; the base's where none is given.
        version: Of the new bundle; the next free one where none is given.
        minutes: Time for the encoder.
        steps: Number of steps of the encoder instead, for exact repetition.
        simulated_machines: Simulated machines of each type that the encoder learns beside the recorded ones.
        clean_only: Whether the encoder learns only from recordings whose licence lets the model be given away, beside
            the site's own.
        report: Whether the evaluation's page is made.
        seed: Of every draw.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: Annotated[tuple[Part, ...], Field(min_length=1)] = ("types", "weights", "faults")
    base: Sha256 | None = None
    name: Id | None = None
    version: Version | None = None
    minutes: Annotated[float, Field(gt=0, le=1440)] = 45.0
    steps: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    simulated_machines: Annotated[int, Field(ge=1, le=64)] = 32
    clean_only: bool = True
    report: bool = True
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1

    @property
    def word(self) -> str:
        """As the run's row has it: `types+weights`."""
        return "+".join(part for part in ORDER if part in self.what)


def parse_request(parameters: dict[str, Any]) -> RetrainRequest:
    """Read the parameters of a job.

    Raises:
        RetrainError: One is not known, or out of bounds.
    """
    try:
        return RetrainRequest.model_validate(parameters)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "parameters"
        raise RetrainError(f"{where}: {first['msg']}; see docs/retraining.md") from error
