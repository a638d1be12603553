"""Whether the agent does its work, told from the windows it scores. Pure: time is handed in."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """State of one component."""

    STARTING = "starting"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


class Kind(StrEnum):
    """What a component is; only sources decide readiness, only loops decide life."""

    SOURCE = "source"
    LOOP = "loop"
    SINK = "sink"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """How long things may take, seconds of monotonic time.

    Attributes:
        start_within_s: A source that delivered nothing this long after it was registered is down.
        degraded_after_s: A source that was up and delivered nothing for this long is degraded.
        down_after_s: ... and for this long is down.
        max_unscored_s: Audio of one source that may arrive without a window being scored or skipped: two
            windows and a margin.
        loop_silent_s: A loop that did not beat for this long hangs.
        failed_windows: Windows of one channel that fail one after another until its source is degraded.
    """

    start_within_s: float = 15.0
    degraded_after_s: float = 3.0
    down_after_s: float = 15.0
    max_unscored_s: float = 30.0
    loop_silent_s: float = 20.0
    failed_windows: int = 3


@dataclass(frozen=True, slots=True)
class ComponentReport:
    """One component at one moment; ages in seconds, None before the first progress."""

    name: str
    kind: Kind
    state: State
    detail: str
    progress_age_s: float | None
    window_age_s: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """The answer of one question, with the reasons against it."""

    ok: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Everything at one moment."""

    live: Check
    ready: Check
    bundle: str | None
    components: tuple[ComponentReport, ...]

    @property
    def state(self) -> State:
        """The agent as a whole: down when not live or not ready, degraded when any component is not up."""
        if not self.live.ok:
            return State.DOWN
        states = {component.state for component in self.components}
        if not self.ready.ok:
            return State.STARTING if State.STARTING in states and State.DOWN not in states else State.DOWN
        return State.UP if states <= {State.UP} else State.DEGRADED


@dataclass(slots=True)
class _Component:
    kind: Kind
    registered_s: float
    progress_s: float | None = None
    window_s: float | None = None
    unscored_audio_s: float = 0.0
    fault: tuple[State, str] | None = field(default=None)
    failures: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Of each channel whose last window failed: how many did in a row, and of what."""


class Health:
    """Collects signs of life and answers from them. May be called from any thread.

    A source progresses when audio arrives (`audio`), a loop when it beats (`beat`). Audio that arrives and is never
    scored or skipped makes the agent not live: the scorer hangs, and a restart helps. A source without audio does
    not: a restart would not plug it in.

    >>> health = Health(HealthLimits())
    >>> health.register("mic", Kind.SOURCE, now_s=0.0)
    >>> health.component("mic", now_s=1.0).state.value, health.component("mic", now_s=15.1).state.value
    ('starting', 'down')
    """

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._components: dict[str, _Component] = {}
        self._bundle: str | None = None
        self._self_test_passed = False

    def register(self, name: str, kind: Kind, *, now_s: float) -> None:
        """Expect a component from now on."""
        with self._lock:
            self._components[name] = _Component(kind, now_s)

    def forget(self, name: str) -> None:
        """Expect it no more: it was configured away."""
        with self._lock:
            self._components.pop(name, None)

    def audio(self, source: str, duration_s: float, *, now_s: float) -> None:
        """Audio arrived from a source."""
        with self._lock:
            component = self._components[source]
            component.progress_s = now_s
            component.unscored_audio_s += duration_s
            if component.fault is not None and component.fault[0] is State.DOWN:
                component.fault = None

    def window(self, source: str, *, now_s: float, channel: int = 0, fault: str = "") -> None:
        """A window of a source was scored, or skipped with a reason: what arrived before is dealt with.

        Args:
            source: The source.
            now_s: Monotonic time.
            channel: Which of its channels.
            fault: What the model failed of, where that is why it was not scored.
        """
        with self._lock:
            component = self._components[source]
            component.window_s = now_s
            component.unscored_audio_s = 0.0
            if fault:
                component.failures[channel] = (component.failures.get(channel, (0, ""))[0] + 1, fault)
            else:
                component.failures.pop(channel, None)

    def hears(self, source: str, channels: Iterable[int]) -> None:
        """Only these channels of a source are heard from now on: what failed on others is over."""
        with self._lock:
            failures = self._components[source].failures
            for channel in failures.keys() - set(channels):
                del failures[channel]

    def beat(self, name: str, *, now_s: float) -> None:
        """A loop or sink did a round of its work; ends a fault that brought it down."""
        with self._lock:
            component = self._components[name]
            component.progress_s = now_s
            if component.fault is not None and component.fault[0] is State.DOWN:
                component.fault = None

    def degraded(self, name: str, detail: str) -> None:
        """A component works, but not as it should; until `recovered`."""
        with self._lock:
            self._components[name].fault = (State.DEGRADED, detail)

    def down(self, name: str, detail: str) -> None:
        """A component failed; until its next progress. What it had delivered is no longer waited for."""
        with self._lock:
            component = self._components[name]
            component.fault = (State.DOWN, detail)
            component.unscored_audio_s = 0.0

    def recovered(self, name: str) -> None:
        """What `degraded` or `down` told of is over."""
        with self._lock:
            self._components[name].fault = None

    def bundle_verified(self, bundle: str, *, self_test_passed: bool) -> None:
        """A bundle's hashes were checked and its self-test was run."""
        with self._lock:
            self._bundle = bundle
            self._self_test_passed = self_test_passed

    def component(self, name: str, *, now_s: float) -> ComponentReport:
        """One component now."""
        with self._lock:
            return self._report(name, self._components[name], now_s)

    def live(self, *, now_s: float) -> Check:
        """Whether a restart would not help: every loop beats, and no audio waits for a score too long."""
        with self._lock:
            return self._live(now_s)

    def ready(self, *, now_s: float) -> Check:
        """Whether the agent can score: a verified bundle that passed its self-test, and a source that delivers."""
        with self._lock:
            return self._ready(now_s)

    def report(self, *, now_s: float) -> HealthReport:
        """Everything now."""
        with self._lock:
            components = tuple(self._report(name, each, now_s) for name, each in sorted(self._components.items()))
            return HealthReport(self._live(now_s), self._ready(now_s), self._bundle, components)

    def _live(self, now_s: float) -> Check:
        reasons = []
        for name, component in sorted(self._components.items()):
            if component.unscored_audio_s > self._limits.max_unscored_s:
                reasons.append(f"source {name}: {component.unscored_audio_s:.0f} s of audio arrived and was not scored")
            if component.kind is Kind.LOOP:
                silent_s = now_s - (component.registered_s if component.progress_s is None else component.progress_s)
                if silent_s > self._limits.loop_silent_s:
                    reasons.append(f"loop {name}: no sign of life for {silent_s:.0f} s")
        return Check(not reasons, tuple(reasons))

    def _ready(self, now_s: float) -> Check:
        reasons = []
        if self._bundle is None:
            reasons.append("no bundle verified")
        elif not self._self_test_passed:
            reasons.append(f"bundle {self._bundle} failed its self-test")
        sources = [
            self._report(name, each, now_s) for name, each in self._components.items() if each.kind is Kind.SOURCE
        ]
        if not any(source.state in (State.UP, State.DEGRADED) for source in sources):
            reasons.append(f"none of {len(sources)} sources is up")
        return Check(not reasons, tuple(reasons))

    def _report(self, name: str, component: _Component, now_s: float) -> ComponentReport:
        progress_age_s = None if component.progress_s is None else now_s - component.progress_s
        window_age_s = None if component.window_s is None else now_s - component.window_s
        state, detail = self._state(component, progress_age_s, now_s)
        return ComponentReport(name, component.kind, state, detail, progress_age_s, window_age_s)

    def _state(self, component: _Component, progress_age_s: float | None, now_s: float) -> tuple[State, str]:
        limits = self._limits
        if component.fault is not None and component.fault[0] is State.DOWN:
            return component.fault
        if progress_age_s is None:
            waited = now_s - component.registered_s > limits.start_within_s
            return (State.DOWN, "never started") if waited else (State.STARTING, "waiting for its first sign of life")
        source = component.kind is Kind.SOURCE
        if progress_age_s > (limits.down_after_s if source else limits.loop_silent_s):
            return State.DOWN, f"nothing for {progress_age_s:.0f} s"
        if component.unscored_audio_s > limits.max_unscored_s:
            return State.DEGRADED, f"{component.unscored_audio_s:.0f} s of audio not scored"
        if source and progress_age_s > limits.degraded_after_s:
            return State.DEGRADED, f"nothing for {progress_age_s:.0f} s"
        failed, fault = max(component.failures.values(), default=(0, ""))
        failing = (State.DEGRADED, f"windows cannot be scored: {fault}") if failed >= limits.failed_windows else None
        return failing or component.fault or (State.UP, "")
