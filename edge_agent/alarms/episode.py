"""An episode: when it begins, when it only comes back, and for how long it must be quiet to be over. Pure."""

from collections.abc import Callable
from dataclasses import replace

from edge_agent.alarms.alarm import Alarm, Condition
from edge_agent.alarms.delay import NS_PER_S
from edge_agent.alarms.rules import AlarmRules
from edge_agent.alarms.states import QUIET

_MOST_DOUBLINGS = 16


def rejoins(alarm: Alarm, now_ns: int, rules: AlarmRules) -> bool:
    """Whether a condition that begins now goes on with the last episode.

    Apart in either direction: an end that was stamped by a clock that ran years ahead rejoins nothing.
    """
    return alarm.cleared_ns is not None and abs(now_ns - alarm.cleared_ns) <= rules.rejoin_s * NS_PER_S


def quiet_s(alarm: Alarm, rules: AlarmRules) -> float:
    """How long a condition must be off to be over: the longer, the more often it came back."""
    if not alarm.returns:
        return 0.0
    doubled = 2.0 ** min(alarm.returns - 1, _MOST_DOUBLINGS)
    return min(rules.settle_s * doubled, rules.rejoin_s)


def begin(alarm: Alarm, condition: Condition, now_ns: int, new_id: Callable[[], str]) -> Alarm:
    """A new episode, in the state that the alarm is in; one that was put aside before it ever was on keeps its id."""
    put_aside = alarm.state in QUIET and alarm.raised_ns is None
    begun = replace(
        _on(alarm, condition),
        id=alarm.id if put_aside else new_id(),
        severity=condition.severity,
        raised_ns=now_ns,
        reraised=0,
        returns=0,
        acknowledged_ns=None,
        acknowledged_by=None,
        acknowledged_severity=None,
        label=None,
    )
    return begun if alarm.state in QUIET else replace(begun, operator=None, reason=None)


def come_back(alarm: Alarm, condition: Condition) -> Alarm:
    """The same episode, once more."""
    return replace(
        _on(alarm, condition),
        reraised=alarm.reraised + 1,
        returns=alarm.returns + 1,
        severity=max(alarm.severity, condition.severity),
    )


def _on(alarm: Alarm, condition: Condition) -> Alarm:
    return replace(
        alarm, active=True, cleared_ns=None, quiet_since_ns=None, text=condition.text, machines=condition.machines
    )
