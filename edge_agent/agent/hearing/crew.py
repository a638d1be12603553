"""The sources at work: one runner each, their states, and how they come and go while the others are heard."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping

from edge_agent.agent.hearing.engine import Engine
from edge_agent.agent.hearing.plan import SourcePlan
from edge_agent.agent.hearing.sources import is_live, source_opener
from edge_agent.agent.telling.reporter import Reporter
from edge_agent.capture.block_queue import Arrival, BlockQueue
from edge_agent.capture.clock import NS_PER_S, Clock
from edge_agent.capture.runner import SourceChange, SourceRunner, SourceState
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import SourceSection
from edge_agent.observe.health import Health, Kind, State
from edge_agent.observe.metrics import Metrics

_log = logging.getLogger(__name__)

_HAND_OVER_S = 10.0
_ROUND_S = 0.05


class Crew:
    """Starts, watches, changes and stops the sources. The scorer's thread uses it.

    Args:
        settings: Whose sources.
        queue: Where their blocks arrive.
        engine: Hears them.
        clock: Time.
        health: Told how each does.
        metrics: Counts restarts.
        reporter: Tells of changes of state.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        queue: BlockQueue,
        engine: Engine,
        clock: Clock,
        health: Health,
        metrics: Metrics,
        reporter: Reporter,
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._clock = clock
        self._health = health
        self._metrics = metrics
        self._reporter = reporter
        self._sections = {section.id: section for section in settings.source}
        self._runners = {section.id: self._make_runner(section, settings) for section in settings.source}
        self._shown: dict[str, State] = {}
        self._rates: dict[str, int] = {}
        self._down_ns: dict[str, int] = {}

    def __len__(self) -> int:
        """Sources at work, up or not."""
        return len(self._runners)

    def __str__(self) -> str:
        """How they do, for a status line."""
        up = sum(state is State.UP for state in self._shown.values())
        return f"{up} of {len(self)} sources up"

    def start(self) -> None:
        """Begin to read every source."""
        for runner in self._runners.values():
            self._start(runner)

    def accept(self, arrival: Arrival) -> None:
        """Take a block, or the end of a source."""
        if not self._engine.hears(arrival.source_id):
            return  # from a reader that did not stop in time, as the log says
        self._engine.accept(arrival)
        if arrival.block is None:
            return
        self._rates[arrival.source_id] = arrival.rate_hz
        if arrival.arrived_ns <= self._down_ns.get(arrival.source_id, -1):
            return  # it went down after this: what was still queued does not make it look up
        seconds = len(arrival.block.samples) / arrival.rate_hz
        self._health.audio(arrival.source_id, seconds, now_s=self._now_s())

    def show(self) -> None:
        """Tell of every source that came into another state."""
        now_s = self._now_s()
        for name, section in self._sections.items():
            report = self._health.component(name, now_s=now_s)
            if self._shown.get(name) is not report.state:
                self._shown[name] = report.state
                self._reporter.source_changed(report, rate_hz=self._rates.get(name), channels=len(section.channel))

    def dismiss(self, names: Iterable[str], work: Callable[[float], object]) -> None:
        """Stop sources; what they had handed over is scored first, and the others are heard meanwhile.

        Args:
            names: The sources.
            work: Does one round of the scorer's work, in which it waits at most the seconds given.
        """
        leaving = tuple(names)
        self._stop(leaving, work)
        for name in leaving:
            del self._runners[name], self._sections[name]
            self._engine.remove(name)
            self._health.forget(name)
            self._metrics.source_gone(name)
            for remembered in (self._shown, self._rates, self._down_ns):
                remembered.pop(name, None)

    def engage(self, names: Iterable[str], settings: AgentSettings, plans: Mapping[str, SourcePlan]) -> None:
        """Let those that stay be heard by new listeners, and start others."""
        for name in self._runners:
            self._engine.listen(name, plans[name])
            self._health.hears(name, (channel.index for channel in plans[name].channels))
        coming = frozenset(names)
        for section in settings.source:
            self._sections[section.id] = section
            if section.id in coming:
                self._engine.add(section.id, plans[section.id])
                runner = self._runners[section.id] = self._make_runner(section, settings)
                self._start(runner)

    def stop(self, work: Callable[[float], object]) -> None:
        """Stop all sources; what they had handed over is scored."""
        self._stop(tuple(self._runners), work)

    def _stop(self, names: tuple[str, ...], work: Callable[[float], object]) -> None:
        while_working(work, *(self._runners[name].stop for name in names))
        until_s = self._now_s() + _HAND_OVER_S
        while waiting := [name for name in names if not self._engine.ended(name)]:
            if self._now_s() > until_s:
                _log.warning("source %s did not stop in time", ", ".join(waiting))
                return
            work(_ROUND_S)

    def _make_runner(self, section: SourceSection, settings: AgentSettings) -> SourceRunner:
        return SourceRunner(
            section.id,
            source_opener(section, settings),
            self._queue,
            self._clock,
            self._changed,
            live=is_live(section),
        )

    def _start(self, runner: SourceRunner) -> None:
        self._metrics.source_known(runner.source_id)
        self._health.register(runner.source_id, Kind.SOURCE, now_s=self._now_s())
        runner.start()

    def _changed(self, change: SourceChange) -> None:
        """A runner tells, on its own thread."""
        if change.source_id not in self._runners:
            return
        if change.state is SourceState.DOWN:
            self._down_ns[change.source_id] = self._clock.monotonic_ns()
            self._health.down(change.source_id, change.detail)
            if change.detail != "ended":
                self._metrics.restarted(change.source_id)
        elif change.state is SourceState.DEGRADED:
            self._health.degraded(change.source_id, change.detail)
        elif change.state is SourceState.UP:
            self._health.recovered(change.source_id)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / NS_PER_S


def while_working(work: Callable[[float], object], *actions: Callable[[], object]) -> None:
    """Do what may take seconds on threads of its own, while the scorer goes on with its work."""
    threads = [threading.Thread(target=action, name="aside", daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        work(_ROUND_S)
