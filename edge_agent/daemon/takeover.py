"""What becomes of a running agent when configuration, profiles or models change."""

import logging
from collections.abc import Callable
from pathlib import Path

from edge_agent.agent.hearing.crew import while_working
from edge_agent.agent.profiles import ProfileStore
from edge_agent.agent.reload import Changes, compare
from edge_agent.agent.wiring import (
    condition_rules,
    machines_of,
    mqtt_settings,
    roster,
    source_plans,
)
from edge_agent.config.check import Report
from edge_agent.config.log import LogSection
from edge_agent.daemon.parts import Parts
from edge_agent.delivery.reporting import bundle_reference
from edge_agent.detection.errors import DetectionError
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import Slot, bundle_dir, profiles_dir, read_in_use
from edge_agent.pipeline.analyse import Analyser
from edge_agent.settings.secret import SecretFileError

_log = logging.getLogger(__name__)


class Takeover:
    """Takes over, in a running agent, what changed on disk: configuration, profiles, models. All of it, or none.

    Args:
        parts: The agent's.
        round_: Takes and scores what has arrived, where something else is waited for.
        load: Reads and checks the configuration anew.
        set_up_log: Applies the log's settings.

    Attributes:
        notice: What systemd's status line says of the last reload; empty where all is taken over.
    """

    _refused_slot: Slot | None = None

    def __init__(
        self,
        parts: Parts,
        round_: Callable[[float], None],
        *,
        load: Callable[[], Report],
        set_up_log: Callable[[LogSection], None],
    ) -> None:
        self._parts = parts
        self._round = round_
        self._load = load
        self._set_up_log = set_up_log
        self.notice = ""

    def reload(self) -> None:
        """Take over what changed in the configuration on disk, or keep the old one as a whole."""
        self._parts.notifier.reloading()
        report = self._load()
        problems = [str(problem) for problem in report.problems]
        if report.settings is not None and not problems:
            changes = compare(self._parts.settings, report.settings)
            try:
                self._take_over(changes)
            except (DetectionError, CommandError, SecretFileError) as error:
                problems = [str(error)]
            else:
                waiting = ", ".join(changes.waiting)
                self.notice = f"; restart to take over {waiting}" if waiting else ""
                _log.info("configuration reloaded: %s", changes)
                self._say_profiles(self._parts.profile_watch.changed())
        if problems:
            for problem in problems:
                _log.error("configuration not taken over: %s", problem)
            self.notice = f"; configuration on disk is bad, the old one is kept: {problems[0]}"
        self._parts.notifier.ready(f"{self._parts.crew}{self.notice}")

    def take_profiles(self, machines: tuple[str, ...]) -> None:
        """Use profiles that were written or removed on disk, or keep the old ones as a whole."""
        try:
            self._take_over(compare(self._parts.settings, self._parts.settings))
        except DetectionError as error:
            _log.error("profiles of %s not taken over: %s", ", ".join(machines), error)
        else:
            self._say_profiles(machines)

    def _say_profiles(self, machines: tuple[str, ...]) -> None:
        if machines:
            _log.info("profiles of %s taken over from the disk", ", ".join(machines))
            self._parts.tap_server.taps.taken_over(machines)

    def _take_over(self, changes: Changes) -> None:
        """Everything that can be refused comes first; what follows does not fail."""
        parts = self._parts
        settings = changes.effective
        machines = roster(settings, parts.bundle, parts.store)
        mqtt = mqtt_settings(settings, parts.environ) if settings.mqtt.enabled else None
        self._set_up_log(settings.log)
        parts.crew.dismiss(changes.leaving, self._round)
        machines.take_over(parts.roster)
        parts.settings, parts.roster = settings, machines
        parts.trends.commissioned(machines.commissioned)
        parts.reporter.hears(machines_of(settings))
        if parts.clips is not None:
            parts.clips.hears(settings, gone=changes.leaving)
        if parts.hub is not None:
            parts.hub.hears(settings)
        parts.alarms.follow(condition_rules(settings))
        parts.alarms.watches(machines.machines, (source.id for source in settings.source))
        parts.show_machines()
        parts.frontage.know(settings)
        parts.crew.engage(changes.coming, settings, source_plans(settings, machines))
        uplink = parts.uplink
        if mqtt is not None and uplink is not None:
            uplink.follow(settings)
            while_working(self._round, lambda: uplink.reconnect(mqtt))
            uplink.announce()

    def take_models(self, bundle: Bundle, profiles: Path, switch: Callable[[], None]) -> None:
        """Listen with another bundle and its profiles: everything that can be refused comes before the switch.

        Between two rounds nothing is left to drain: no window is lost, none is judged by half of each.
        """
        parts = self._parts
        store = ProfileStore(parts.state_dir, profiles)
        machines = roster(parts.settings, bundle, store)
        analyser = Analyser(bundle.encoder(), keep_going=True)
        plans = source_plans(parts.settings, machines)
        switch()
        parts.bundle = bundle
        parts.store.follow()
        parts.profile_watch.changed()
        parts.engine.adopt(analyser)
        machines.take_over(parts.roster)
        parts.roster = machines
        parts.show_machines()
        parts.trends.commissioned(machines.commissioned)
        reference = bundle_reference(bundle.ref)
        for part in (parts.reporter, parts.clips, parts.hub):
            if part is not None:
                part.uses(reference)
        parts.tap_server.uses(reference.sha256)
        parts.crew.engage((), parts.settings, plans)
        parts.show_models(reference)
        _log.info("listening with bundle %s %s", reference.name, reference.version)

    def follow_models(self) -> None:
        """Somebody may have gone back to the last good bundle by `edge-agent models rollback`."""
        slot = None
        try:
            in_use = read_in_use(self._parts.state_dir)
            if in_use is None or in_use.configured != self._parts.settings.model.bundle:
                return
            slot = in_use.active
            if slot in (self._refused_slot, None) or slot.bundle == self._parts.bundle.ref:
                return
            bundle = load_bundle(bundle_dir(self._parts.state_dir, slot.bundle.sha256), probe=False)
            self.take_models(bundle, profiles_dir(self._parts.state_dir, slot.profiles), lambda: None)
        except (BundleError, DetectionError) as error:
            if slot != self._refused_slot:
                self._refused_slot = slot
                _log.error("the bundle that the disk says is in use is not taken over: %s", error)
        else:
            if self._parts.updates is not None:
                self._parts.updates.desk.moved(bundle)
