"""What an agent takes over from its former life: alarms that were kept, and what of them was not told."""

from dataclasses import replace

from edge_agent.alarms.alarm import Alarm, Change
from edge_agent.alarms.history import HistoryEntry
from edge_agent.alarms.states import State
from edge_agent.alarms.store import StoredAlarm, Untold
from edge_agent.capture.clock import NS_PER_S


def believed(alarm: Alarm, now_ns: int, longest_shelving_s: int) -> Alarm:
    """An alarm as it was kept, but for a time that no clock can have meant.

    A gateway without a battery for its clock may have been in another year when somebody shelved an alarm.
    """
    latest_ns = now_ns + longest_shelving_s * NS_PER_S
    if alarm.shelved_until_ns is None or alarm.shelved_until_ns <= latest_ns:
        return alarm
    return replace(alarm, shelved_until_ns=latest_ns)


def untold_of(stored: StoredAlarm) -> Untold:
    """What the former life kept and did not tell; a file of an earlier version does not say, so a person is called."""
    return stored.untold or Untold(event=None, announce=stored.state is State.UNACKNOWLEDGED)


def and_then(former: Untold | None, change: Change) -> Untold:
    """What is to be told after one more change, if none of them is told by then."""
    if former is None:
        return Untold(event=change.event, announce=change.annunciated)
    still = former.announce and change.alarm.state is State.UNACKNOWLEDGED
    return Untold(event=change.event or former.event, announce=change.annunciated or still)


def same_change(entry: HistoryEntry, former: HistoryEntry) -> bool:
    """Whether both tell the same change of the same episode; the times may differ."""
    return entry.model_copy(update={"at_ns": former.at_ns}) == former
