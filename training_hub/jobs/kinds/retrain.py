"""The kind `retrain`: a new bundle from the catalogue; in a process of its own, which can be killed and goes on."""

from typing import Any

from training_hub.jobs.context import JobContext

KIND = "retrain"
OWN_PROCESS = True


def run(context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Retrain; parameters as `training_hub.retrain.request.RetrainRequest` describes them."""
    from training_hub.retrain.request import parse_request  # noqa: PLC0415  # kinds are discovered by all that enqueue
    from training_hub.retrain.run import retrain  # noqa: PLC0415

    return retrain(context, parse_request(parameters))
