"""What brokers retain of alarms is what the gateway knows of them, whichever broker it is and whatever was lost."""

import json
from collections.abc import Sequence

from edge_agent.agent.alarming.conditions import FAULTS
from edge_agent.agent.alarming.desk import AlarmDesk
from edge_agent.alarms.alarm import PLANT, AlarmKey, Kind
from edge_agent.alarms.states import State
from edge_agent.capture.clock import Clock
from edge_agent.delivery.message import MessageFactory
from edge_agent.delivery.signals import Letter, Received
from edge_agent.delivery.topics import Topics

_MOST_RETAINED_BYTES = 64 * 1024


class LastWords:
    """Says where alarms stand at each connection, and puts right what a broker retains of them. Publisher's thread.

    A broker may have lost what it retained, be another one than that which has it, or retain what the state directory
    does not know any more: the file was damaged, the disk replaced, the machine configured away.

    What is said of an episode is an event like every other: it goes through the outbox, behind what waits there. What
    is said of alarms that never were is a letter: there is no episode that it could tell of.

    Args:
        alarms: What the gateway knows.
        topics: The gateway's.
        messages: Makes the events.
        clock: Time.
        all_machines: Whether machines without an alarm are told of too: Home Assistant shows no state for them else.
    """

    def __init__(
        self, alarms: AlarmDesk, topics: Topics, messages: MessageFactory, clock: Clock, *, all_machines: bool
    ) -> None:
        self._alarms = alarms
        self._topics = topics
        self._messages = messages
        self._clock = clock
        self._all_machines = all_machines

    @property
    def filters(self) -> Sequence[str]:
        """What to subscribe to: the broker then sends what it retains."""
        return self._topics.alarms

    def opened(self) -> Sequence[Letter]:
        """A connection was made: what is not normal, or everything."""
        keys = [alarm.key for alarm in self._alarms.alarms() if alarm.state is not State.NORMAL]
        if self._all_machines:
            machines = (AlarmKey(Kind.ANOMALY, machine) for machine in self._alarms.machines)
            keys = sorted({*keys, *machines, PLANT})
        return [letter for key in keys for letter in self._word(key)]

    def received(self, message: Received) -> Sequence[Letter]:
        """What the broker retains; the answer puts it right."""
        about = self._topics.machine_of_alarm(message.topic)
        if about is None or not message.retained or not message.payload:
            return ()
        machine, fault = about
        if (machine and not self._alarms.is_watched(machine)) or (fault and fault not in FAULTS):
            return (Letter(message.topic, b""),)  # takes the retained message away
        kind = Kind.INPUT_FAULT if fault else Kind.ANOMALY if machine else Kind.PLANT_EVENT
        key = AlarmKey(kind, machine, fault)
        alarm = self._alarms.alarm(key)
        if _said(message.payload) == (alarm.state.value, "" if alarm.state is State.NORMAL else alarm.id):
            return ()
        return self._word(key)

    def _word(self, key: AlarmKey) -> Sequence[Letter]:
        if self._alarms.alarm(key).id:
            self._alarms.tell_again(key)
            return ()
        message = self._messages.make(self._alarms.standing(key), occurred_ns=self._clock.wall_ns())
        return (Letter(message.topic, message.payload),)


def _said(payload: bytes) -> tuple[str, str] | None:
    """State, and id where it matters, of a retained alarm; None where it is none."""
    if len(payload) > _MOST_RETAINED_BYTES:
        return None
    try:
        event = json.loads(payload)
        state, alarm = event["data"]["state"], event["data"]["alarm"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(state, str) or not isinstance(alarm, str):
        return None
    return state, "" if state == State.NORMAL.value else alarm
