"""What an agent writes down of its alarms; where the disk says no they go out all the same."""

import logging
from collections.abc import Iterable
from pathlib import Path

from edge_agent.agent.alarming.former import same_change
from edge_agent.alarms.alarm import Change, Kind
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.history import HistoryEntry, history
from edge_agent.alarms.states import BY_PEOPLE
from edge_agent.alarms.store import AlarmStore, StoredAlarm
from edge_agent.observe.metrics import Metrics

_log = logging.getLogger(__name__)


class AlarmPapers:
    """The alarms' file, their history, the log and the counters of changes. For one thread at a time; never raises.

    Args:
        directory: The state directory; it exists.
        metrics: What is counted.
    """

    def __init__(self, directory: Path, metrics: Metrics) -> None:
        self._store = AlarmStore(directory)
        self._history = history(directory)
        self._metrics = metrics
        self._fails = False

    @property
    def fails(self) -> bool:
        """Whether the disk refused what was written last."""
        return self._fails

    def load(self, now_ns: int) -> tuple[StoredAlarm, ...]:
        """What a former life kept; nothing where its file is damaged, which is set aside."""
        try:
            return self._store.load()
        except AlarmError as error:
            self._metrics.alarm_store_failed("damaged")
            _log.error("%s", error)
            try:
                target = self._store.set_aside(now_ns)
                _log.error("%s was set aside as %s, no alarm is known from before", self._store.path, target)
            except AlarmError as second:
                _log.error("%s", second)
            return ()

    def save(self, alarms: Iterable[StoredAlarm]) -> bool:
        """Keep where all alarms stand; False where the disk refused."""
        try:
            self._store.save(alarms)
        except AlarmError as error:
            self._refused("save", error)
            return False
        if self._fails:
            _log.info("alarms are written to %s again", self._store.path)
        self._fails = False
        return True

    def note(self, change: Change, now_ns: int) -> None:
        """Count a change, and write it into the log and the history."""
        alarm = change.alarm
        self._metrics.alarm_changed(alarm.key.kind.value, "update" if change.event is None else change.event.value)
        if change.begun and alarm.key.kind is Kind.ANOMALY:
            self._metrics.alarm_raised(alarm.key.machine, alarm.id)
        if change.event is None:
            return
        log = _log.warning if change.annunciated else _log.info
        by = f" by {alarm.operator}" if alarm.operator and change.event in BY_PEOPLE else ""
        log("%s: %s%s, now %s: %s", alarm.key, change.event.value, by, alarm.state.value, alarm.text)
        try:
            self._history.append(HistoryEntry.of(change, now_ns))
        except AlarmError as error:
            self._refused("history", error)

    def note_once(self, change: Change, now_ns: int) -> None:
        """Note what a former life may have noted before it ended."""
        entry = HistoryEntry.of(change, now_ns)
        if not any(same_change(entry, former) for former in self._history.newest()):
            self.note(change, now_ns)

    def _refused(self, operation: str, error: AlarmError) -> None:
        self._metrics.alarm_store_failed(operation)
        if not self._fails:
            _log.error("%s; alarms go out all the same", error)
        self._fails = True
