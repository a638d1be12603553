"""All protocols, in the order in which they run."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.protocols import (
    calibration,
    first_shot,
    gallery,
    identity,
    leave_one_out,
    noise,
    quantisation,
    robustness,
    routing,
    stream,
    supervised,
)

Protocol = Callable[[Evaluation, Findings], None]

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        module.NAME: module.run
        for module in (
            first_shot,
            leave_one_out,
            noise,
            robustness,
            quantisation,
            calibration,
            identity,
            routing,
            supervised,
            stream,
            gallery,
        )
    }
)
