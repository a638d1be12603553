"""What an examination finds."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing stands: well, doubtful, or so that the agent cannot do its work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What it belongs to: `disk`, `broker`, ...
        state: How it stands.
        summary: What was seen, with its value.
        mend: What to do; empty where nothing is to be done.
    """

    topic: str
    state: State
    summary: str
    mend: str = ""


def ok(topic: str, summary: str) -> Finding:
    """All is well."""
    return Finding(topic, State.OK, summary)


def warn(topic: str, summary: str, mend: str) -> Finding:
    """The agent works, but something is doubtful."""
    return Finding(topic, State.WARN, summary, mend)


def fail(topic: str, summary: str, mend: str) -> Finding:
    """The agent cannot do its work."""
    return Finding(topic, State.FAIL, summary, mend)


def worst(findings: tuple[Finding, ...]) -> State:
    """The worst state among them.

    >>> worst((ok("disk", "1 GB free"), warn("clock", "not synchronised", "start a time service"))).value
    'warn'
    """
    order = list(State)
    return max((finding.state for finding in findings), key=order.index, default=State.OK)
