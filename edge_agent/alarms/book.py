"""All alarms of one gateway, and everything that may happen to them. Pure: time and ids are handed in."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from edge_agent.alarms.alarm import PLANT, Alarm, AlarmKey, Change, Condition, Kind, Severity
from edge_agent.alarms.delay import NS_PER_S
from edge_agent.alarms.episode import begin, come_back, quiet_s, rejoins
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.plant import PlantWatch
from edge_agent.alarms.rules import Action, AlarmRules
from edge_agent.alarms.states import Event, State, next_state


class AlarmBook:
    """Keeps every alarm's state. One thread at a time uses it.

    Args:
        rules: How alarms behave.
        new_id: Makes the ids of episodes.
        alarms: Those of a former life, to go on from.

    >>> book = AlarmBook(AlarmRules(), new_id=lambda: "A1")
    >>> key = AlarmKey(Kind.ANOMALY, "fan_1")
    >>> (raised,) = book.observe(key, Condition(Severity.HIGH, "a whine at 3 kHz"), now_ns=0)
    >>> raised.begun, raised.alarm.id, raised.alarm.state.value
    (True, 'A1', 'unacknowledged')
    >>> book.act(key, Action(Event.ACKNOWLEDGE, operator="anna"), now_ns=1).alarm.state.value
    'acknowledged'
    """

    def __init__(self, rules: AlarmRules, new_id: Callable[[], str], alarms: Iterable[Alarm] = ()) -> None:
        self._rules = rules
        self._new_id = new_id
        self._alarms = {alarm.key: alarm for alarm in alarms}
        plant = self._alarms.get(PLANT)
        self._plant = PlantWatch(
            rules.plant,
            plant.machines if plant is not None and plant.active else (),
            on=(key.machine for key, alarm in self._alarms.items() if key.kind is Kind.ANOMALY and alarm.active),
        )

    def alarm(self, key: AlarmKey) -> Alarm:
        """Where an alarm stands; one that never was is normal."""
        return self._alarms.get(key) or Alarm(key)

    def alarms(self) -> tuple[Alarm, ...]:
        """Every alarm that ever was, in a fixed order."""
        return tuple(self._alarms[key] for key in sorted(self._alarms))

    def learning_frozen(self, machine: str) -> bool:
        """Whether nothing may be learnt of a machine now: its sound or its input is not normal, or the plant's."""
        return any(
            alarm.active and (key.machine == machine or machine in alarm.machines)
            for key, alarm in self._alarms.items()
        )

    def observe(
        self, key: AlarmKey, condition: Condition | None, *, now_ns: int, suspect: bool = False
    ) -> tuple[Change, ...]:
        """Take what was heard.

        Args:
            key: Which alarm; not the plant's, which follows from the machines'.
            condition: Why it is on, behind its delays; None while it is off.
            now_ns: When.
            suspect: For an anomaly that is off: whether one more odd window would raise it.

        Returns:
            What changed, each alarm at most once; first the plant's.
        """
        before = self.alarm(key)
        changes = [self._condition(before, condition, now_ns)]
        if key.kind is Kind.ANOMALY:
            members = self._plant.update(
                key.machine,
                active=condition is not None,
                suspect=suspect,
                now_ns=now_ns,
                counts=before.state not in _PUT_ASIDE,
            )
            changes += self._follow_plant(members, now_ns)
        return _merged(changes)

    def act(self, key: AlarmKey, action: Action, *, now_ns: int) -> Change:
        """Do what a person asks for.

        Raises:
            AlarmError: It has no meaning in the alarm's state.
        """
        alarm = self.alarm(key)
        state = next_state(alarm.state, action.event, active=alarm.active, latch=self._rules.latch)
        if state is None:
            raise AlarmError(f"{key} is {alarm.state.value}: {_WHY_NOT[action.event]}")
        person = {"operator": action.operator, "reason": action.reason}
        alarm = replace(alarm, state=state, changed_ns=now_ns, **person)  # type: ignore[arg-type]  # a dict has one value type
        match action.event:
            case Event.ACKNOWLEDGE:
                alarm = replace(
                    alarm,
                    acknowledged_ns=now_ns,
                    acknowledged_by=action.operator,
                    acknowledged_severity=alarm.severity,
                )
            case Event.SHELVE:
                if action.until_ns is None or action.until_ns <= now_ns:
                    raise AlarmError(f"{key} can only be shelved until some time in the future")
                alarm = replace(alarm, id=alarm.id or self._new_id(), shelved_until_ns=action.until_ns)
            case Event.OUT_OF_SERVICE:
                alarm = replace(alarm, id=alarm.id or self._new_id(), shelved_until_ns=None)
            case _:
                alarm = replace(alarm, shelved_until_ns=None)
        return self._keep(alarm, action.event, annunciated=state is State.UNACKNOWLEDGED)

    def label(self, key: AlarmKey, label: str, operator: str | None) -> Change:
        """Keep what a person says that an episode was; its state stays.

        Raises:
            AlarmError: There never was an episode.
        """
        alarm = self.alarm(key)
        if alarm.raised_ns is None:
            raise AlarmError(f"{key} never was on: there is nothing to label")
        return self._keep(replace(alarm, label=label, operator=operator), None)

    def refresh(self, key: AlarmKey, text: str) -> Change:
        """Say anew what is wrong, in an episode that goes on; nobody is called for it."""
        return self._keep(replace(self.alarm(key), text=text), None)

    def tick(self, now_ns: int) -> tuple[Change, ...]:
        """End what ends by itself: shelving."""
        over = [
            alarm
            for alarm in self._alarms.values()
            if alarm.state is State.SHELVED and alarm.shelved_until_ns is not None and alarm.shelved_until_ns <= now_ns
        ]
        action = Action(Event.UNSHELVE, reason="the time is over")
        return tuple(self.act(alarm.key, action, now_ns=now_ns) for alarm in over)

    def forget(self, machines: Iterable[str], *, now_ns: int) -> tuple[Change, ...]:
        """Machines that were configured away: whatever state an alarm of theirs is in, it is over.

        They stay in the book until `drop`, for the end of each must be told.
        """
        gone = frozenset(machines)
        for machine in gone:
            self._plant.forget(machine)
        changes = []
        for alarm in [alarm for key, alarm in self._alarms.items() if key.machine in gone]:
            if alarm.state is not State.NORMAL or alarm.active:
                over = replace(
                    alarm,
                    state=State.NORMAL,
                    active=False,
                    changed_ns=now_ns,
                    cleared_ns=now_ns if alarm.active else alarm.cleared_ns,
                    shelved_until_ns=None,
                    operator=None,
                    reason="the machine is no longer watched",
                )
                changes.append(self._keep(over, Event.CLEAR))
        return tuple(changes)

    def drop(self, key: AlarmKey) -> None:
        """Forget an alarm altogether: its end was told."""
        self._alarms.pop(key, None)

    def clock_moved(self, by_ns: int, shelved: Iterable[AlarmKey]) -> tuple[Change, ...]:
        """Wall time was set anew.

        Args:
            by_ns: By how much it moved.
            shelved: Alarms that were shelved by the former time: they stay shelved for as long as was asked for.
        """
        self._plant.clock_moved(by_ns)
        for key, alarm in self._alarms.items():
            if alarm.quiet_since_ns is not None:
                self._alarms[key] = replace(alarm, quiet_since_ns=alarm.quiet_since_ns + by_ns)
        moved = (self.alarm(key) for key in shelved)
        return tuple(
            self._keep(replace(alarm, shelved_until_ns=alarm.shelved_until_ns + by_ns), None)
            for alarm in moved
            if alarm.shelved_until_ns is not None
        )

    # From conditions to changes.

    def _condition(self, alarm: Alarm, condition: Condition | None, now_ns: int) -> Change | None:
        if condition is None:
            if not alarm.active or not self._settled(alarm, now_ns):
                return None
            return self._move(replace(alarm, active=False, cleared_ns=now_ns), Event.CLEAR, now_ns)
        if alarm.quiet_since_ns is not None:
            alarm = replace(alarm, quiet_since_ns=None)
            self._alarms[alarm.key] = alarm
        if not alarm.active:
            return self._raise(alarm, condition, now_ns)
        grown = replace(alarm, machines=condition.machines)
        if condition.severity > alarm.severity:
            grown = replace(
                grown, severity=condition.severity, text=condition.text, reraised=alarm.reraised + 1, active=True
            )
            return self._move(grown, Event.STEP_UP, now_ns)
        if grown != alarm:
            return self._keep(replace(grown, text=condition.text), None)
        return None

    def _settled(self, alarm: Alarm, now_ns: int) -> bool:
        """Whether a condition that is off was off for long enough: the longer, the more often it came back."""
        if alarm.quiet_since_ns is None or now_ns < alarm.quiet_since_ns:
            alarm = replace(alarm, quiet_since_ns=now_ns)
            self._alarms[alarm.key] = alarm
        return now_ns - (alarm.quiet_since_ns or 0) >= quiet_s(alarm, self._rules) * NS_PER_S

    def _raise(self, alarm: Alarm, condition: Condition, now_ns: int) -> Change:
        if not rejoins(alarm, now_ns, self._rules):
            alarm = begin(alarm, condition, now_ns, self._new_id)
            return self._move(alarm, Event.RAISE, now_ns, begun=True)
        alarm = come_back(alarm, condition)
        seen = alarm.acknowledged_severity
        if alarm.state is State.NORMAL and seen is not None and alarm.severity <= seen:
            # A person knows of it already: what flickers does not call them again.
            return self._keep(replace(alarm, state=State.ACKNOWLEDGED, changed_ns=now_ns), Event.RAISE)
        return self._move(alarm, Event.RAISE, now_ns)

    def _move(self, alarm: Alarm, event: Event, now_ns: int, *, begun: bool = False) -> Change:
        state = next_state(alarm.state, event, active=alarm.active, latch=self._rules.latch)
        if state is None:
            return self._keep(alarm, event, begun=begun)
        told = state is State.UNACKNOWLEDGED and (
            begun or alarm.state is not State.UNACKNOWLEDGED or event is Event.STEP_UP
        )
        return self._keep(replace(alarm, state=state, changed_ns=now_ns), event, begun=begun, annunciated=told)

    def _keep(self, alarm: Alarm, event: Event | None, *, begun: bool = False, annunciated: bool = False) -> Change:
        self._alarms[alarm.key] = alarm
        return Change(alarm, event, begun, annunciated)

    # The plant's event.

    def _follow_plant(self, members: frozenset[str], now_ns: int) -> list[Change | None]:
        plant = self.alarm(PLANT)
        of_members = [self.alarm(AlarmKey(Kind.ANOMALY, name)) for name in sorted(members)]
        if not members:
            if not plant.active:
                return []
            condition = None
        else:
            severity = max((alarm.severity for alarm in of_members if alarm.active), default=Severity.MEDIUM)
            names = tuple(sorted(members))
            text = f"{len(names)} machines rose at once: {', '.join(names)}; look at the plant before the machines"
            condition = Condition(severity, text[:2048], names)
        changes: list[Change | None] = [self._condition(plant, condition, now_ns)]
        if condition is None:
            singles = [self.alarm(AlarmKey(Kind.ANOMALY, name)) for name in plant.machines]
            changes += [self._move(a, Event.RELEASE, now_ns) for a in singles if a.state is State.SUPPRESSED]
        elif plant.state not in _PUT_ASIDE:  # else nobody would hear of anything
            told = (State.UNACKNOWLEDGED, State.ACKNOWLEDGED)
            changes += [self._move(a, Event.SUPPRESS, now_ns) for a in of_members if a.state in told]
        return changes


_PUT_ASIDE = (State.SHELVED, State.OUT_OF_SERVICE)
"""A person put the alarm aside: it calls nobody, by way of the plant's event neither."""

_WHY_NOT = {
    Event.ACKNOWLEDGE: "there is nothing to acknowledge",
    Event.SHELVE: "put it back into service before it is shelved",
    Event.UNSHELVE: "it is not shelved",
    Event.OUT_OF_SERVICE: "it is out of service already",
    Event.IN_SERVICE: "it is not out of service",
}


def _merged(changes: Iterable[Change | None]) -> tuple[Change, ...]:
    """One change for each alarm, the last; what it began with is kept. The plant's comes first."""
    last: dict[AlarmKey, Change] = {}
    for change in changes:
        if change is not None:
            former = last.get(change.alarm.key)
            begun = change.begun or (former is not None and former.begun)
            last[change.alarm.key] = replace(change, begun=begun)
    return tuple(sorted(last.values(), key=lambda change: change.alarm.key.kind is not Kind.PLANT_EVENT))
