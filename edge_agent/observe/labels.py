"""Values that labels may have: each a bounded set, whatever machines, networks and files say."""

from __future__ import annotations

from typing import Final

MACHINE_STATES: Final = ("normal", "suspect", "alarm", "input_fault", "uncommissioned", "unknown")
"""States of a window, as in the events."""

ALARM_STATES: Final = (
    "normal", "unacknowledged", "acknowledged", "returned_unacknowledged", "latched", "suppressed", "shelved",
    "out_of_service",
)  # fmt: skip
"""States of an alarm, as in the events."""

INPUT_FINDINGS: Final = (
    "dead", "frozen", "unplugged", "stopped", "clipped", "dc_offset", "frozen_bits", "muffled", "hum",
    "identity_mismatch",
)  # fmt: skip
"""What may be wrong with an input, as in the events."""

SHED_CAUSES: Final = ("behind", "slow_viewer")
"""Why frames are not shown: the scorer is behind, or a viewer does not fetch them."""

STORE_OPERATIONS: Final = ("save", "history", "damaged", "audit")
"""What may fail as alarms are kept: writing them, their history or the audit log, and reading what was written."""

STAGES: Final = ("features", "encode", "score", "store")
"""Stages whose time is measured: log-mel and patches, encoder, detectors, outbox."""

PROFILES: Final = ("none", "provisional", "calibrated")
"""What was learnt of a machine: nothing, too little for a calibrated threshold, enough."""


def one_of(value: str, allowed: tuple[str, ...]) -> str:
    """The value, where it is one of a set.

    Raises:
        ValueError: It is not.
    """
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return value
