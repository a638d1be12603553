"""Looks after rollouts and their signatures beside the web server."""

from collections.abc import Mapping

from training_hub.companions import Companion
from training_hub.parts import HubParts
from training_hub.rollout.watch import RolloutWatch


def make(parts: HubParts, environ: Mapping[str, str]) -> Companion | None:
    """Always."""
    del environ
    return RolloutWatch(parts)
