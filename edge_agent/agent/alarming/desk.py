"""The alarms of a running agent: from what is heard to what is kept, told and counted."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from edge_agent.agent.alarming.conditions import FAULTS, ConditionRules, Conditions, Observation
from edge_agent.agent.alarming.evidence import evidence_of, of_episode, shown_evidence, shown_of, to_episode
from edge_agent.agent.alarming.former import and_then, believed, untold_of
from edge_agent.agent.alarming.papers import AlarmPapers
from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.alarms.alarm import PLANT, Alarm, AlarmKey, Change, Kind
from edge_agent.alarms.book import AlarmBook
from edge_agent.alarms.rules import Action, AlarmRules
from edge_agent.alarms.states import Event
from edge_agent.alarms.store import StoredAlarm
from edge_agent.capture.clock import NS_PER_S, Clock
from edge_agent.delivery.alarming import Evidence, alarm_data
from edge_agent.delivery.result import AlarmRef, AlarmState, Trend
from edge_agent.delivery.states import AlarmData
from edge_agent.detection.alarm import Episode
from edge_agent.observe.metrics import Metrics
from edge_agent.pipeline.listener import Heard

Send = Callable[[AlarmData, int], bool]
"""Hands an alarm over to be published; False where it is not on the disk yet."""


class AlarmDesk:
    """Keeps the alarms of a gateway. May be called from any thread.

    A change is on the disk before it is told: killed in between, the next life tells it.

    Args:
        directory: The state directory; it exists.
        rules: How alarms behave.
        conditions: What raises one.
        gateway: Its id.
        machines: Who is watched.
        new_id: Makes ids of episodes.
        send: Where changes are told.
        metrics: What is counted.
        clock: For what has no window.
        held: Whether anything handed over to be published is not on the disk yet; it is tried again without our doing.
        longest_shelving_s: Nothing stays shelved for longer, whatever the clock said when it was shelved.
    """

    def __init__(
        self,
        directory: Path,
        *,
        rules: AlarmRules,
        conditions: ConditionRules,
        gateway: str,
        machines: Iterable[str],
        new_id: Callable[[], str],
        send: Send,
        metrics: Metrics,
        clock: Clock,
        held: Callable[[], bool] = lambda: False,
        longest_shelving_s: int = 604_800,
    ) -> None:
        self._held = held
        self._gateway = gateway
        self._machines = frozenset(machines)
        self._send = send
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.RLock()
        self._papers = AlarmPapers(directory, metrics)
        self._unsaved = False
        self._down: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._new_id = new_id
        self._never_on: dict[AlarmKey, tuple[str, int]] = {}
        self._shelved_here: set[AlarmKey] = set()
        self._refreshed_ns: dict[AlarmKey, int] = {}
        stored = self._papers.load(clock.wall_ns())
        alarms = {each: believed(each.alarm(), clock.wall_ns(), longest_shelving_s) for each in stored}
        self._untold = {alarms[each].key: untold_of(each) for each in stored if not each.told}
        self._episodes = {each.machine: each.heard for each in stored if each.heard is not None and each.active}
        self._evidence = {alarms[each].key: shown_evidence(each.shown) for each in stored if each.shown is not None}
        self._book = AlarmBook(rules, new_id, alarms.values())
        self._conditions = Conditions(conditions, lambda key: self._book.alarm(key).active)
        for machine in self._machines:
            self._metrics.faults_known(machine, FAULTS)
        for alarm in self._book.alarms():
            self._show(alarm)

    def episodes(self) -> Mapping[str, Episode]:
        """Anomalies that were on when the agent ended, by machine: the detection goes on with them."""
        return {
            machine: to_episode(heard, self._book.alarm(AlarmKey(Kind.ANOMALY, machine)))
            for machine, heard in self._episodes.items()
        }

    def resume(self) -> None:
        """Tell what a former life kept and did not tell, and drop what is about machines that are gone."""
        with self._lock:
            now_ns = self._clock.wall_ns()
            for key in sorted(self._untold):
                untold = self._untold[key]
                change = Change(self._book.alarm(key), untold.event, annunciated=untold.announce)
                self._papers.note_once(change, now_ns)
                self._tell(change, now_ns)
            known = {alarm.key.machine for alarm in self._book.alarms()} - {""}
            self._forget(known - self._machines)

    def follow(self, conditions: ConditionRules) -> None:
        """What raises an alarm from now on."""
        with self._lock:
            self._conditions.follow(conditions)

    def watches(self, machines: Iterable[str], sources: Iterable[str]) -> None:
        """The machines and sources that there are from now on; the alarms of others end."""
        with self._lock:
            self._down = {source: down for source, down in self._down.items() if source in frozenset(sources)}
            gone = self._machines - frozenset(machines)
            self._machines = frozenset(machines)
            for machine in self._machines:
                self._metrics.faults_known(machine, FAULTS)
            self._forget(gone)

    def clock_moved(self, by_ns: int) -> None:
        """Wall time was set anew: what lasts for some time lasts as long as before."""
        with self._lock:
            self._conditions.clock_moved(by_ns)
            self._commit(self._book.clock_moved(by_ns, self._shelved_here), self._clock.wall_ns())
            self._shelved_here.clear()

    def window(self, event: WindowEvent, heard: Heard, trend: Trend | None = None) -> AlarmRef | None:
        """Take a window; returns the machine's alarm after it, where there is one."""
        with self._lock:
            key = AlarmKey(Kind.ANOMALY, heard.machine_id)
            if heard.alarm is not None and heard.alarm.episode is not None:
                self._episodes[heard.machine_id] = of_episode(heard.alarm.episode)
            for seen in self._conditions.of_window(heard, event.start_ns, trend):
                changes = self._observe(seen, event.start_ns)
                stale = not changes and self._is_stale(seen, heard, event.start_ns)
                if stale and seen.condition is not None and seen.key in self._refreshed_ns:
                    changes = (self._book.refresh(seen.key, seen.condition.text),)
                own = [change for change in changes if change.alarm.key == seen.key]
                if own or stale:
                    self._refreshed_ns[seen.key] = event.start_ns
                    begun = any(change.begun for change in own)
                    former = Evidence() if begun else self._evidence.get(seen.key, Evidence())
                    self._evidence[seen.key] = evidence_of(seen.key, former, heard, trend)
                self._commit(changes, event.end_ns)
            alarm = self._book.alarm(key)
        state: AlarmState = alarm.state.value
        return None if state == "normal" else AlarmRef(id=alarm.id, state=state)

    def source(self, source: str, problem: str | None, machines: tuple[str, ...]) -> None:
        """A source went down, with its problem, or came back; who is heard through it."""
        with self._lock:
            self._down.pop(source, None)
            if problem is not None:
                self._down[source] = (problem, machines)

    def tick(self) -> None:
        """What happens without a window: shelving ends, sources stay down, the disk is tried again."""
        now_ns = self._clock.wall_ns()
        with self._lock:
            self._commit(self._book.tick(now_ns), now_ns)
            problems = {
                machine: f"{machine}: source {source} is down: {problem}"
                for source, (problem, machines) in self._down.items()
                for machine in machines
            }
            for machine in sorted(self._machines):
                seen = self._conditions.of_source(machine, problems.get(machine), now_ns)
                self._commit(self._observe(seen, now_ns), now_ns)
            if self._untold and not self._held():
                for key in tuple(self._untold):
                    self._told(key)
            if self._unsaved:
                self._save()

    def act(self, key: AlarmKey, action: Action) -> Alarm:
        """Do what a person asks for.

        Raises:
            AlarmError: It has no meaning in the alarm's state.
        """
        now_ns = self._clock.wall_ns()
        with self._lock:
            change = self._book.act(key, action, now_ns=now_ns)
            if action.event is Event.SHELVE:
                self._shelved_here.add(key)
            self._commit((change,), now_ns)
        return change.alarm

    def label(self, key: AlarmKey, label: str, operator: str | None) -> Alarm:
        """Keep what a person says that an episode was.

        Raises:
            AlarmError: There never was one.
        """
        now_ns = self._clock.wall_ns()
        with self._lock:
            change = self._book.label(key, label, operator)
            self._commit((change,), now_ns)
        return change.alarm

    def clips_kept(self, machine: str, alarm_id: str, *, clip: str, before: str | None, after: str | None) -> None:
        """The sound of an episode was kept: its alarm names the clips from now on. A former episode's is left alone."""
        with self._lock:
            key = AlarmKey(Kind.ANOMALY, machine)
            alarm = self._book.alarm(key)
            if alarm.id == alarm_id:
                evidence = self._evidence.get(key, Evidence())
                # after a restart the first clip that is new is not the episode's first
                self._evidence[key] = replace(evidence, clip=evidence.clip or clip, before=before, after=after)
                self._commit((Change(alarm, None),), self._clock.wall_ns())

    def alarm(self, key: AlarmKey) -> Alarm:
        """Where an alarm stands."""
        with self._lock:
            return self._book.alarm(key)

    def alarms(self) -> tuple[Alarm, ...]:
        """Every alarm that ever was."""
        with self._lock:
            return self._book.alarms()

    @property
    def machines(self) -> frozenset[str]:
        """Who is watched."""
        return self._machines

    def standing(self, key: AlarmKey) -> AlarmData:
        """Where an alarm stands, as an event tells it; one that never was on has an id all the same."""
        with self._lock:
            alarm = self._book.alarm(key)
            if not alarm.id:
                first = self._never_on.setdefault(key, (self._new_id(), self._clock.wall_ns()))
                alarm = replace(alarm, id=first[0], changed_ns=first[1])
            return self._data(Change(alarm, None))

    def tell_again(self, key: AlarmKey) -> None:
        """Say where an alarm stands, as one more event; what waits to be told says it anyway."""
        with self._lock:
            if key not in self._untold:
                self._send(self._data(Change(self._book.alarm(key), None)), self._clock.wall_ns())

    def is_watched(self, machine: str) -> bool:
        """Whether there is such a machine."""
        return machine in self._machines

    def learning_frozen(self, machine: str) -> bool:
        """Whether nothing may be learnt of a machine now."""
        with self._lock:
            return self._book.learning_frozen(machine)

    @property
    def disk_refuses(self) -> bool:
        """Whether the disk refused what stands now."""
        return self._papers.fails

    def close(self) -> None:
        """Write down what was told since the last change."""
        with self._lock:
            if self._unsaved:
                self._save()

    # Everything below runs with the lock held.

    def _observe(self, seen: Observation, now_ns: int) -> tuple[Change, ...]:
        return self._book.observe(seen.key, seen.condition, now_ns=now_ns, suspect=seen.suspect)

    def _commit(self, changes: tuple[Change, ...], now_ns: int) -> None:
        if not changes:
            return
        for change in changes:
            self._untold[change.alarm.key] = and_then(self._untold.get(change.alarm.key), change)
        self._save()
        for change in changes:
            self._papers.note(change, now_ns)
            self._tell(change, now_ns)
        if self._unsaved and not self._papers.fails:
            self._save()  # at once: what was told must not call a person again after a kill
        for change in changes:
            self._show(change.alarm)

    def _forget(self, machines: Iterable[str]) -> None:
        """The alarms of machines that are gone end, are told so, and are known no more."""
        now_ns = self._clock.wall_ns()
        self._commit(self._book.forget(machines, now_ns=now_ns), now_ns)
        self._drop_gone()

    def _drop_gone(self) -> None:
        for alarm in self._book.alarms():
            key = alarm.key
            if key.machine and key.machine not in self._machines and key not in self._untold:
                self._book.drop(key)
                self._evidence.pop(key, None)
                self._refreshed_ns.pop(key, None)
                self._unsaved = True

    def _is_stale(self, seen: Observation, heard: Heard, now_ns: int) -> bool:
        """Whether what is known of an alarm is from long ago, or from a former life, and this window tells more."""
        if seen.condition is None or not self._book.alarm(seen.key).active or heard.verdict is None:
            return False
        if seen.key.kind is Kind.ANOMALY and not heard.verdict.is_anomalous:
            return False  # it would say that the machine sounds normal
        refreshed_ns = self._refreshed_ns.get(seen.key)
        return refreshed_ns is None or abs(now_ns - refreshed_ns) >= _REFRESH_NS

    def _tell(self, change: Change, now_ns: int) -> None:
        key = change.alarm.key
        if self._send(self._data(change), now_ns):
            self._told(key)

    def _data(self, change: Change) -> AlarmData:
        evidence = self._evidence.get(change.alarm.key, Evidence())
        return alarm_data(change, evidence, gateway=self._gateway, clock_synced=self._clock.is_synced())

    def _told(self, key: AlarmKey) -> None:
        self._untold.pop(key, None)
        self._unsaved = True
        if key.machine and key.machine not in self._machines:
            self._drop_gone()

    def _save(self) -> None:
        records = []
        for alarm in self._book.alarms():
            heard = self._episodes.get(alarm.key.machine) if alarm.key.kind is Kind.ANOMALY else None
            shown = shown_of(self._evidence.get(alarm.key), alarm)
            records.append(StoredAlarm.of(alarm, heard=heard, untold=self._untold.get(alarm.key), shown=shown))
        self._unsaved = not self._papers.save(records)

    def _show(self, alarm: Alarm) -> None:
        key = alarm.key
        if key.machine and key.machine not in self._machines:
            return  # it is watched no more, and nothing is shown of it
        if key.kind is Kind.ANOMALY:
            raised_s = None if alarm.raised_ns is None else alarm.raised_ns / NS_PER_S
            self._metrics.alarm_state(key.machine, alarm.state.value, raised_s=raised_s)
        elif key.kind is Kind.INPUT_FAULT:
            self._metrics.input_fault(key.machine, key.fault, on=alarm.active)
        elif key == PLANT:
            self._metrics.plant_event(on=alarm.active)
        for machine in {key.machine, *alarm.machines} & self._machines:
            self._metrics.learning_frozen(machine, frozen=self._book.learning_frozen(machine))


_REFRESH_NS = 3600 * NS_PER_S
"""How old the sentence, the trend and the bands of an alarm may become while it lasts."""
