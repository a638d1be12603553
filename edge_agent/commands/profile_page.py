"""What a profile says, and what adding to it would change, in lines for a person."""

from collections.abc import Sequence

from edge_agent.delivery.fields import rfc3339
from edge_agent.detection.addition import Addition
from edge_agent.detection.limit import ExpectedAlarms
from edge_agent.detection.profile import Profile
from edge_agent.detection.states import OperatingState

_LISTED = 40
_SMALL = 0.001


def describe(profile: Profile) -> list[str]:
    """What commissioning found."""
    lines = [
        f"machine {profile.machine_id}: learnt from {profile.windows} windows of {profile.recordings} recordings"
        + (
            ", provisional: give about ten minutes of normal sound for a calibrated profile"
            if profile.provisional
            else ""
        ),
        f"type {profile.machine_type}, prior {profile.prior_name}",
        f"operating states: {_states(profile.states)}",
        f"threshold {profile.threshold:.2f} for {profile.budget.false_alarms_per_week:g} false alarms per week",
        f"expected false alarms per week: {_expected(profile.expected)}, 90 %",
    ]
    lines += [f"left out: {reason}" for reason in profile.trimmed]
    return lines + [f"warning: {warning}" for warning in profile.warnings]


def details(profile: Profile) -> list[str]:
    """Where a profile comes from."""
    bundle = profile.bundle
    lines = [f"commissioned {rfc3339(profile.created_ns)}"]
    if bundle is not None:
        lines.append(f"bundle {bundle.name} {bundle.version}, sha256 {bundle.sha256[:12]}")
    kept = "kept: more can be added" if profile.normals else "not kept: nothing can be added"
    lines += [f"normals {kept}", f"clips ({len(profile.clips)}):"]
    lines += [f"  {name}" for name in profile.clips[:_LISTED]]
    return lines + ([f"  and {len(profile.clips) - _LISTED} more"] if len(profile.clips) > _LISTED else [])


def one_line(profile: Profile) -> str:
    """A profile in a list."""
    names = ",".join(state.name for state in profile.states if state.name is not None)
    return "  ".join(
        [
            profile.machine_id,
            profile.machine_type,
            "provisional" if profile.provisional else "calibrated",
            rfc3339(profile.created_ns),
            f"{profile.recordings} clips",
            f"threshold {profile.threshold:.2f}",
            f"false alarms per week {_expected(profile.expected)}",
            f"states {names or len(profile.states)}",
            "no bundle" if profile.bundle is None else f"{profile.bundle.name} {profile.bundle.version}",
        ]
    )


def describe_addition(addition: Addition) -> list[str]:
    """What would change."""
    before, after = addition.before, addition.after
    rows = [
        ("", "now", "after"),
        ("recordings", str(before.recordings), str(after.recordings)),
        ("windows", str(before.windows), str(after.windows)),
        ("calibration", *("provisional" if p.provisional else "calibrated" for p in (before, after))),
        ("operating states", _states(before.states), _states(after.states)),
        ("threshold", f"{before.threshold:.2f}", f"{after.threshold:.2f}"),
        ("false alarms per week", _expected(before.expected), _expected(after.expected)),
    ]
    lines = _table(rows)
    above = sum(clip.above for clip in addition.clips)
    windows = sum(clip.windows for clip in addition.clips)
    above_after = sum(clip.above_after for clip in addition.clips)
    lines += ["", f"{above} of {windows} new windows lie above the threshold now, {above_after} would after:"]
    clips = [("recording", "score now", "percentile", "score after")]
    clips += [
        (
            clip.name,
            f"{clip.score:.2f} of {before.threshold:.2f}{' above' if clip.above else ''}",
            f"{clip.percentile:.6g}",
            f"{clip.score_after:.2f} of {after.threshold:.2f}{' above' if clip.above_after else ''}",
        )
        for clip in sorted(addition.clips, key=lambda clip: clip.score, reverse=True)[:_LISTED]
    ]
    lines += _table(clips)
    if len(addition.clips) > _LISTED:
        lines.append(f"and {len(addition.clips) - _LISTED} more, less odd")
    lines += [f"left out: {reason}" for reason in addition.left_out]
    return lines + [f"warning: {warning}" for warning in after.warnings]


def _expected(expected: ExpectedAlarms) -> str:
    return f"{_number(expected.per_week)} ({_number(expected.low)} to {_number(expected.high)})"


def _number(value: float) -> str:
    """Two digits, and no more zeros than a person reads.

    >>> [_number(value) for value in (2.6e-6, 0.034, 1.0, 9.84, 224.0)]
    ['below 0.001', '0.034', '1', '9.8', '224']
    """
    if value < _SMALL:
        return f"below {_SMALL:g}"
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _states(states: Sequence[OperatingState]) -> str:
    """How many, and what each rests on."""
    if len(states) == 1:
        return states[0].name or "1"
    return ", ".join(
        f"{state.name} ({state.windows} windows{'' if state.tail else ', calibrated with the others'})"
        for state in states
    )


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
