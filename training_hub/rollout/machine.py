"""The stages of a rollout as a pure function: what is known and the time in, the next step out.

canary -> percentage (each of the limits' shares) -> all -> done; halted or rolled_back from any of the first three.
An objection of a gateway that runs the bundle takes it back everywhere; one from the shadow, or gateways that refuse
the bundle, halt it: nobody new gets it, nobody loses anything.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from training_hub.rollout.limits import Limits
from training_hub.rollout.progress import LEFT, Progress


class Stage(StrEnum):
    """Where a rollout is."""

    CANARY = "canary"
    PERCENTAGE = "percentage"
    ALL = "all"
    DONE = "done"
    HALTED = "halted"
    ROLLED_BACK = "rolled_back"


UNDER_WAY = (Stage.CANARY, Stage.PERCENTAGE, Stage.ALL)
GIVES_OUT = (*UNDER_WAY, Stage.DONE)
"""A gateway that was away gets the bundle when it comes back."""


@dataclass(frozen=True, slots=True)
class Member:
    """A gateway of the fleet and how far it is."""

    site: str
    name: str
    canary: bool
    progress: Progress

    def __str__(self) -> str:
        return f"{self.site}/{self.name}"


@dataclass(frozen=True, slots=True)
class RolloutState:
    """All that a decision rests on.

    Attributes:
        id: Of the rollout.
        stage, percentage: Where it is.
        shadow_only: Whether no gateway is to take the bundle over yet.
        entered_at: When it came into this stage.
        limits: Its limits.
        members: Gateways that are not disabled.
    """

    id: str
    stage: Stage
    percentage: int
    shadow_only: bool
    entered_at: datetime
    limits: Limits
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Where the rollout goes, and why."""

    stage: Stage
    percentage: int
    why: str


def bucket(rollout: str, site: str, name: str) -> int:
    """A gateway's place in a rollout, 0 to 99: the same each time, another one in the next rollout.

    >>> bucket("01J", "plant", "gw_1") == bucket("01J", "plant", "gw_1")
    True
    """
    digest = hashlib.sha256(f"{rollout}/{site}/{name}".encode()).digest()
    return int.from_bytes(digest[:8]) % 100


def covered(state: RolloutState, member: Member) -> bool:
    """Whether the rollout has reached a gateway. Who was reached once stays so in the stages that follow."""
    if state.stage not in GIVES_OUT:
        return False
    if member.canary or state.stage in (Stage.ALL, Stage.DONE):
        return True
    return state.stage is Stage.PERCENTAGE and bucket(state.id, member.site, member.name) < state.percentage


def decide(state: RolloutState, now: datetime) -> Step | None:
    """The step that is due; None where there is none."""
    if state.stage not in UNDER_WAY:
        return None
    if (step := _stop(state)) is not None:
        return step
    soaked_s = (now - state.entered_at).total_seconds()
    if not state.limits.automatic or state.shadow_only or soaked_s < 60.0 * state.limits.soak_minutes:
        return None
    reached = [member for member in state.members if covered(state, member)]
    awaited = [m for m in reached if m.canary or not m.progress.silent(state.limits, now)]
    fit = [member for member in awaited if _fit(member.progress, state.limits)]
    left = [member for member in awaited if member.progress.phase in LEFT]
    if len(fit) + len(left) < len(awaited) or (state.stage is Stage.CANARY and not fit):
        return None
    return following(state, f"{len(fit)} of {len(reached)} gateways run it well")


def following(state: RolloutState, why: str) -> Step | None:
    """The next stage, whoever asks for it; None where there is none."""
    if state.stage not in UNDER_WAY:
        return None
    if state.stage is Stage.ALL:
        return Step(Stage.DONE, 100, why)
    larger = [share for share in state.limits.percentages if share > state.percentage]
    return Step(Stage.PERCENTAGE, larger[0], why) if larger else Step(Stage.ALL, 100, why)


def _fit(progress: Progress, limits: Limits) -> bool:
    good = progress.phase == "active" and progress.healthy >= limits.healthy_reports
    return good and progress.objection(limits) is None


def _stop(state: RolloutState) -> Step | None:
    objections = [(member, why) for member in state.members if (why := _objection(member, state.limits))]
    running = [(member, why) for member, why in objections if member.progress.phase == "active"]
    if running:
        return Step(Stage.ROLLED_BACK, state.percentage, _sentence(running))
    if objections:
        return Step(Stage.HALTED, state.percentage, _sentence(objections))
    left = [member for member in state.members if member.progress.phase in LEFT]
    if any(member.canary for member in left) or len(left) > state.limits.max_failed_gateways:
        reasons = [(member, member.progress.why or f"it is {member.progress.phase}") for member in left]
        return Step(Stage.HALTED, state.percentage, _sentence(reasons))
    return None


def _objection(member: Member, limits: Limits) -> str | None:
    return None if member.progress.phase in LEFT else member.progress.objection(limits)


def _sentence(reasons: Iterable[tuple[Member, str]]) -> str:
    told = [f"{member}: {why}" for member, why in reasons]
    more = f" (and {len(told) - 3} more)" if len(told) > 3 else ""
    return "; ".join(told[:3])[:1500] + more
