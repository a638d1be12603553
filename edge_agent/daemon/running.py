"""What an agent does from its start to its end."""

import logging
import threading
from collections.abc import Callable, Mapping

from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.capture.clock import NS_PER_S
from edge_agent.config.check import Report
from edge_agent.config.log import LogSection
from edge_agent.config.settings import AgentSettings
from edge_agent.daemon.parts import Parts
from edge_agent.daemon.settling import Leftovers
from edge_agent.daemon.takeover import Takeover
from edge_agent.inference.probe import ModelProbe
from edge_agent.observe.health import Kind

_log = logging.getLogger(__name__)

SCORER = "scorer"
DISK = "disk"
_POLL_S = 0.5
_RETRY_EVERY_S = 5.0
_PING_EVERY_S = 0.5


class Daemon:
    """One agent, from its settings to its end.

    Args:
        settings: The settings.
        environ: The environment, for secrets and systemd.
        load: Reads and checks the configuration anew, for `reload`.
        set_up_log: Applies the log's settings, at a reload.
        early: A probe of the configured bundle's model that was begun already.

    Raises:
        Exception: What building its `Parts` raises.
    """

    def __init__(
        self,
        settings: AgentSettings,
        environ: Mapping[str, str],
        *,
        load: Callable[[], Report],
        set_up_log: Callable[[LogSection], None],
        early: ModelProbe | None = None,
    ) -> None:
        self._stop, self._reload_asked = threading.Event(), threading.Event()
        self._pinged_s = float("-inf")
        self._parts = Parts(settings, environ, reload=self.reload, early=early)
        self._takeover = Takeover(self._parts, self._round, load=load, set_up_log=set_up_log)
        self._was_synced = self._parts.clock.is_synced()

    def run(self) -> None:
        """Listen until `stop` is called; then hand over what is captured and end."""
        parts = self._parts
        leftovers: Leftovers | None = Leftovers()
        parts.health.register(SCORER, Kind.LOOP, now_s=parts.now_s())
        parts.health.register(DISK, Kind.OTHER, now_s=parts.now_s())
        self._look_at_disk()
        parts.frontage.start()
        if parts.uplink is not None:
            parts.uplink.start()
        parts.alarms.resume()
        parts.control.start()
        if parts.clips is not None:
            parts.clips.start()
        if parts.updates is not None:
            parts.updates.start()
        if parts.hub is not None:
            parts.hub.start()
        parts.crew.start()
        parts.tap_server.start()
        parts.notifier.ready(f"listening to {len(parts.crew)} sources")
        _log.info("listening to %d sources, state in %s", len(parts.crew), parts.state_dir)
        last_retry_s = parts.now_s()
        while not self._stop.is_set():
            self._round(_POLL_S)
            if self._reload_asked.is_set():
                self._reload_asked.clear()
                self._takeover.reload()
            if parts.now_s() - last_retry_s >= _RETRY_EVERY_S:
                last_retry_s = parts.now_s()
                self._look_after()
                if leftovers is not None:
                    leftovers.let_go()
                    leftovers = None
        self._shut_down()

    def stop(self) -> None:
        """Ask the daemon to end; from a signal handler or another thread."""
        self._stop.set()

    def reload(self) -> None:
        """Ask the daemon to take over the configuration on disk; from a signal handler or another thread."""
        self._reload_asked.set()

    def _round(self, timeout_s: float) -> None:
        """Take what arrived, and score what is complete."""
        parts = self._parts
        for arrival in parts.queue.take(timeout_s):
            parts.crew.accept(arrival)
            parts.tap_server.taps.arrival(arrival)
        with parts.reporter.together():
            for event in parts.engine.drain():
                self._window(event)
        parts.health.beat(SCORER, now_s=parts.now_s())
        parts.crew.show()
        if parts.now_s() - self._pinged_s >= _PING_EVERY_S and parts.health.live(now_s=parts.now_s()).ok:
            self._pinged_s = parts.now_s()
            parts.notifier.watchdog()

    def _window(self, event: WindowEvent) -> None:
        """A window is finished; the alarms come first, for a clip names its alarm."""
        parts = self._parts
        parts.reporter.window(event)
        if parts.clips is not None:
            parts.clips.window(event)
        if parts.hub is not None:
            parts.hub.window(event)
        if parts.updates is not None:
            parts.updates.window(event)
        parts.tap_server.taps.window(event)
        parts.frontage.window(event)

    def _look_after(self) -> None:
        """What needs no haste."""
        parts = self._parts
        parts.metrics.clock_synced(synced=self._was_synced)
        parts.alarms.tick()
        parts.trends.keep(now_s=parts.now_s())
        if changed := parts.profile_watch.changed():
            self._takeover.take_profiles(changed)
        if parts.clips is not None:
            parts.clips.look_after()
        if parts.uplink is not None:
            parts.uplink.look_after()
        if parts.hub is not None:
            parts.hub.look_after()
        if parts.updates is not None:
            parts.updates.look_after(self._takeover.take_models)
        self._takeover.follow_models()
        self._look_at_disk()
        synced = parts.clock.is_synced()
        if synced and not self._was_synced:
            # the one step that is taken over: the first good time. Later ones move no stamp.
            step_ns = parts.clock.step_ns()
            _log.info("wall clock is synchronised, stamps move by %.3f s", step_ns / NS_PER_S)
            parts.clock.reanchor()
            parts.alarms.clock_moved(step_ns)
        self._was_synced = synced
        parts.notifier.status(f"{parts.crew}{self._takeover.notice}")

    def _look_at_disk(self) -> None:
        """Health tells what the disk refuses; clips have a component of their own."""
        parts = self._parts
        held = 0 if parts.uplink is None else parts.uplink.held
        refused = [f"{held} events, held in memory"] * (held > 0) + ["alarms"] * parts.alarms.disk_refuses
        parts.health.beat(DISK, now_s=parts.now_s())
        if refused:
            parts.health.degraded(DISK, f"it refuses {' and '.join(refused)}")
        else:
            parts.health.recovered(DISK)

    def _shut_down(self) -> None:
        parts = self._parts
        parts.notifier.stopping("handing over what was captured")
        parts.tap_server.stop()
        parts.engine.stopping()
        parts.crew.stop(self._round)
        parts.queue.close()
        with parts.reporter.together():
            for event in parts.engine.stop():
                self._window(event)
        parts.control.stop()
        if parts.clips is not None:
            parts.clips.stop()
        parts.alarms.close()
        parts.trends.save()
        if parts.uplink is not None:
            parts.uplink.stop()
        if parts.updates is not None:
            parts.updates.stop()
        if parts.hub is not None:
            parts.hub.stop()
        parts.frontage.stop()
        _log.info("stopped")
