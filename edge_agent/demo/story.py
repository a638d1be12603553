"""What has been heard so far, as the table tells it; pure."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from edge_agent.delivery.events import Event, EventKind, kind_of
from edge_agent.delivery.result import BandContribution, DetectorResult, Identity, ResultData
from edge_agent.delivery.states import AlarmData
from edge_agent.demo.reading import ALARM_ON, Reading


@dataclass(frozen=True)
class Row:
    """One window of the machine.

    Attributes:
        start_s: Its first sample, in seconds since the first window.
        severity: How far the simulated fault has gone at its end, 0 to 1: what the agent cannot know.
        score: Anomaly score; None where the machine could not be judged.
        threshold: Score above which the window is anomalous.
        level_dbfs: Level; None for silence.
        state: What it says of the machine.
        identity: What it sounds like.
        detectors: What each of them found.
        bands: What each third octave added to the score.
    """

    start_s: float
    severity: float
    score: float | None
    threshold: float | None
    level_dbfs: float | None
    state: str
    identity: Identity | None = None
    detectors: tuple[DetectorResult, ...] = ()
    bands: tuple[BandContribution, ...] = ()

    @property
    def leading_bands(self) -> tuple[BandContribution, ...]:
        """The third octaves that speak most for a fault, the strongest first."""
        speaking = [band for band in self.bands if band.contribution > 0]
        return tuple(sorted(speaking, key=lambda band: band.contribution, reverse=True)[:3])


@dataclass(frozen=True)
class Raised:
    """An alarm that was raised.

    Attributes:
        start_s: First sample of the window that raised it, in seconds since the first window.
        text: What it says.
    """

    start_s: float
    text: str


@dataclass
class Story:
    """Collects events and readings of one machine.

    Args:
        window_s: Length of a window.
        severity_at: How far the fault has gone at a second of sound.
    """

    window_s: float
    severity_at: Callable[[float], float]
    rows: list[Row] = field(default_factory=list)
    alarms: list[Raised] = field(default_factory=list)
    alarm_on: bool = False
    reading: Reading | None = None
    _kinds: Counter[EventKind] = field(default_factory=Counter)
    _ids: set[str] = field(default_factory=set)
    _started: datetime | None = None

    @property
    def received(self) -> int:
        """Distinct events received that the outbox keeps until the broker has them; a status is not one of them."""
        return self._kinds.total() - self._kinds[EventKind.STATUS]

    @property
    def results(self) -> int:
        """Distinct results received."""
        return self._kinds[EventKind.RESULT]

    def take(self, events: Iterable[Event[Any]]) -> list[Row]:
        """Add events in the order in which they were published; returns the windows among them.

        An alarm comes before the result of its window, so the first window's start must be known by then: the first
        alarm needs several windows.
        """
        added: list[Row] = []
        for event in events:
            if event.id in self._ids:
                continue  # at least once means that one may come twice
            self._ids.add(event.id)
            self._kinds[kind_of(event.data)] += 1
            if isinstance(event.data, ResultData):
                added.append(self._row(event.data))
            elif isinstance(event.data, AlarmData):
                self._alarm(event.data)
        self.rows += added
        return added

    def glimpse(self, reading: Reading) -> list[Row]:
        """Add what can be told from metrics alone, where no events come before the end."""
        self.reading = reading
        if reading.windows <= len(self.rows) or reading.score is None:
            return []
        start_s = (reading.windows - 1) * self.window_s
        state = "alarm" if reading.alarm else "suspect" if reading.score > (reading.threshold or 0.0) else "normal"
        severity = self.severity_at(start_s + self.window_s)
        row = Row(start_s, severity, reading.score, reading.threshold, reading.level_dbfs, state)
        self.alarm_on = reading.alarm
        self.rows += [row] * (reading.windows - len(self.rows))
        return [row]

    def begin_again(self) -> None:
        """Forget what was told from metrics: the events themselves come now."""
        self.rows.clear()
        self.alarm_on = False

    def _row(self, data: ResultData) -> Row:
        start_s = self._seconds(data.window_start)
        anomaly = data.anomaly
        return Row(
            start_s=start_s,
            severity=self.severity_at(start_s + data.window_s),
            score=None if anomaly is None else anomaly.score,
            threshold=None if anomaly is None else anomaly.threshold,
            level_dbfs=data.level_dbfs,
            state=data.state,
            identity=data.identity,
            detectors=() if anomaly is None else anomaly.detectors,
            bands=() if anomaly is None else anomaly.bands,
        )

    def _alarm(self, data: AlarmData) -> None:
        was_on, self.alarm_on = self.alarm_on, data.state in ALARM_ON
        if self.alarm_on and not was_on:
            self.alarms.append(Raised(self._seconds(data.changed_at), data.text))

    def _seconds(self, timestamp: str) -> float:
        moment = datetime.fromisoformat(timestamp)
        if self._started is None:
            self._started = moment
        return (moment - self._started).total_seconds()
