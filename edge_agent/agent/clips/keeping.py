"""Keeps clips in a running agent: from finished windows to the writer, and its books into metrics and health."""

import logging
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from edge_agent.agent.alarming.desk import AlarmDesk
from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.telling.readings import clips_reading
from edge_agent.alarms.alarm import AlarmKey, Kind
from edge_agent.capture.clock import NS_PER_S, Clock
from edge_agent.clips.books import StoreLimits
from edge_agent.clips.errors import ClipError
from edge_agent.clips.index import ClipIndex, DamagedIndexError
from edge_agent.clips.policy import HeardWindow, KeepLimits, KeepPolicy, Kept
from edge_agent.clips.prepare import Keep
from edge_agent.clips.queue import ClipQueue
from edge_agent.clips.reasons import Dropped, Reason
from edge_agent.clips.recorder import SAMPLE_RATE_HZ, ChannelTap, ClipRecorder, RecordedWindow, Requested, Roll
from edge_agent.clips.row import ClipRow
from edge_agent.clips.screen import SpeechPolicy, SpeechScreen
from edge_agent.clips.sidecar import BundleName, Judgement, Origin, Sidecar, pack_embedding
from edge_agent.clips.store import INDEX, ClipStore
from edge_agent.clips.writer import ClipWriter
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import MicrophoneSection, SourceSection, StreamSection
from edge_agent.delivery.result import BundleRef
from edge_agent.observe.health import Health
from edge_agent.observe.health import Kind as Part
from edge_agent.observe.metrics import Metrics
from edge_agent.pipeline.listener import Heard
from edge_agent.speech.detector import load_detector

_log = logging.getLogger(__name__)

COMPONENT = "clips"
_HISTORY = 5_000


class ClipKeeping:
    """Everything about clips that a running agent has. The scorer's thread uses it, but for `request` and `outcome`.

    Args:
        settings: The settings; `clips.enabled` is true.
        state_dir: Where the clips lie; it exists.
        bundle: The models in use.
        new_id: Makes ULIDs.
        clock: Time.
        metrics: Watches all of it.
        health: Told whether the disk takes clips.
        behind: Whether the scorer is behind.
        alarms: Tells the id of a machine's alarm, and is told which clips show it.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        state_dir: Path,
        bundle: BundleRef,
        new_id: Callable[[], str],
        clock: Clock,
        metrics: Metrics,
        health: Health,
        behind: Callable[[], bool],
        alarms: AlarmDesk,
    ) -> None:
        clips = settings.clips
        self._alarms = alarms
        self._shown: dict[str, tuple[str, str]] = {}
        self._clock = clock
        self._health = health
        self._metrics = metrics
        self._bundle = BundleName(name=bundle.name, version=bundle.version, sha256=bundle.sha256)
        self._rates: dict[str, int] = {}
        self.hears(settings)
        queue = ClipQueue()
        self._root = clips_dir(state_dir)
        self._limits = store_limits(settings)
        self._writer = ClipWriter(
            open_store=lambda: ClipStore(self._root, self._limits),
            make_screen=lambda: speech_screen(settings),
            keep=Keep(clips.keep),
            queue=queue,
            on_state=self._disk_changed,
            on_kept=self._on_disk,
        )
        self._recorder = ClipRecorder(
            KeepPolicy(_keep_limits(settings), self._history(), now_ns=clock.wall_ns()),
            self._writer,
            Roll(clips.pre_roll_s, clips.post_roll_s, settings.window.window_s),
            new_id=new_id,
            draw=random.random,
            behind=behind,
        )
        health.register(COMPONENT, Part.OTHER, now_s=self._now_s())
        metrics.watch_queue(COMPONENT, queue.__len__)
        self._deleted = 0
        metrics.watch_clips(
            lambda: clips_reading(self._writer.stats(), self._recorder.ring_bytes, deleted=self._deleted)
        )

    def deleted(self) -> None:
        """A person deleted a clip, beside the writer."""
        self._deleted += 1

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()
        self.look_after()

    def hears(self, settings: AgentSettings, gone: Iterable[str] = ()) -> None:
        """The sources and machines from now on; sources that are gone or begin anew leave no sound behind."""
        for source in gone:
            self._recorder.forget(source)
        self._site = (settings.agent.site, settings.agent.gateway)
        self._sections = {section.id: section for section in settings.source}
        self._types = {machine.id: machine.type for machine in settings.machine}

    def uses(self, bundle: BundleRef) -> None:
        """The models in use, from now on; clips of the former ones are not compared with."""
        if bundle.sha256 != self._bundle.sha256:
            self._recorder.forget_embeddings()
        self._bundle = BundleName(name=bundle.name, version=bundle.version, sha256=bundle.sha256)

    def tap(self, source: str, channel: int, rate_hz: int) -> ChannelTap:
        """A channel begins to be heard."""
        self._rates[source] = rate_hz
        return self._recorder.tap(source, channel)

    def window(self, event: WindowEvent) -> str | None:
        """A window is finished, and the alarms know it; returns the id of the clip that will show it, if any."""
        heard = event.heard
        if heard is None or event.source_id not in self._sections:
            return None
        window = event.window
        embeddings = window.features.embeddings
        embedding = embeddings.mean(axis=0, dtype=np.float32) if embeddings.size else None
        verdict = heard.verdict
        alarm = self._alarms.alarm(AlarmKey(Kind.ANOMALY, heard.machine_id))
        return self._recorder.window(
            RecordedWindow(
                heard=HeardWindow(
                    machine=heard.machine_id,
                    start_ns=event.start_ns,
                    state=heard.state.value,
                    score=None if verdict is None else verdict.score,
                    threshold=None if verdict is None else verdict.threshold,
                    alarm_raised=heard.alarm is not None and heard.alarm.raised,
                    embedding=embedding,
                ),
                machine_type=self._types.get(heard.machine_id, "generic"),
                origin=self._origin(event),
                judgement=self._judgement(event, heard, pack_embedding(embedding)),
                clock_synced=self._clock.is_synced(),
                first_sample=round(window.start_s * SAMPLE_RATE_HZ),
                samples=round(window.duration_s * SAMPLE_RATE_HZ),
                log_mel_db=window.features.log_mel_db,
                alarm=alarm.id if alarm.active else None,
            )
        )

    def request(self, machine: str) -> None:
        """Keep the machine's next window, pinned; from any thread."""
        self._recorder.request(machine)

    def requested(self) -> dict[str, Requested]:
        """What became of the last request of each machine; from any thread."""
        return self._recorder.requested()

    def outcome(self, clip_id: str) -> Dropped | None:
        """Why a clip that was promised is not kept; None where it was kept or is on its way."""
        return self._recorder.outcome(clip_id)

    def look_after(self) -> None:
        """A sign of life, while the writer has one."""
        if self._writer.alive:
            self._health.beat(COMPONENT, now_s=self._now_s())

    def stop(self) -> None:
        """Write what waits, for some seconds at most."""
        self._recorder.close()
        self._writer.stop()

    def _on_disk(self, sidecar: Sidecar) -> None:
        """Metrics name the clip; an alarm its first one, what was heard before, and its newest one. Writer's thread."""
        judged = sidecar.judgement
        if judged.score is not None and judged.threshold is not None:
            self._metrics.clip_kept(sidecar.machine, sidecar.id, score=judged.score, threshold=judged.threshold)
        if sidecar.reason is not Reason.ALARM or sidecar.alarm is None:
            return
        episode, first = self._shown.get(sidecar.machine, ("", ""))
        if episode != sidecar.alarm:
            first = sidecar.id
            self._shown[sidecar.machine] = (sidecar.alarm, first)
        self._metrics.alarm_heard(sidecar.machine, sidecar.alarm, sidecar.id)
        before = self._writer.latest(sidecar.machine, Reason.RANDOM)
        self._alarms.clips_kept(sidecar.machine, sidecar.alarm, clip=first, before=before, after=sidecar.id)

    def _history(self) -> tuple[Kept, ...]:
        """What quotas and novelty go on from; nothing where the disk says no, as the writer tells."""
        index = self._root / INDEX
        if not index.exists():
            return ()
        try:
            # not by way of the store: a damaged index is made again by the writer, the start does not wait for it
            before = ClipIndex(index)
            rows = before.rows(limit=_HISTORY)
            before.close()
            return tuple(_kept(row, self._bundle.sha256) for row in reversed(rows))
        except (ClipError, DamagedIndexError, ValueError, TypeError) as error:
            _log.warning("clips of before are not known: %s", error)
            return ()

    def _origin(self, event: WindowEvent) -> Origin:
        site, gateway = self._site
        section = self._sections[event.source_id]
        return Origin(
            site=site,
            gateway=gateway,
            source=event.source_id,
            channel=event.channel,
            device=_device(section),
            rate_hz=self._rates.get(event.source_id, section.rate_hz),
            calibration_db=event.calibration_db,
        )

    def _judgement(self, event: WindowEvent, heard: Heard, embedding: str | None) -> Judgement:
        verdict = heard.verdict
        return Judgement(
            state=heard.state.value,
            score=None if verdict is None else verdict.score,
            threshold=None if verdict is None else verdict.threshold,
            percentile=None if verdict is None else verdict.percentile,
            level_dbfs=event.level_dbfs,
            bundle=self._bundle,
            embedding=embedding,
        )

    def _disk_changed(self, problem: str) -> None:
        if problem:
            self._health.degraded(COMPONENT, problem)
        else:
            self._health.recovered(COMPONENT)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / NS_PER_S


def clips_dir(state_dir: Path) -> Path:
    """Where the clips of an agent lie."""
    return state_dir / "clips"


def store_limits(settings: AgentSettings) -> StoreLimits:
    """How much may be kept."""
    return StoreLimits(max_bytes=settings.clips.max_bytes, min_free_bytes=settings.clips.min_free_bytes)


def speech_screen(settings: AgentSettings) -> SpeechScreen:
    """The screen that the settings ask for.

    Raises:
        SpeechError: The detector cannot be used.
    """
    policy = SpeechPolicy(settings.clips.speech)
    return SpeechScreen(
        policy, None if policy is SpeechPolicy.OFF else load_detector(settings.clips.resolve_detector())
    )


def _keep_limits(settings: AgentSettings) -> KeepLimits:
    clips = settings.clips
    return KeepLimits(
        alarm_per_episode=clips.alarm_per_episode,
        uncertain_per_day=clips.uncertain_per_day,
        uncertain_margin=clips.uncertain_margin,
        novel_per_day=clips.novel_per_day,
        novel_distance=clips.novel_distance,
        random_per_day=clips.random_per_day,
        hop_s=settings.window.hop_s,
    )


def _kept(row: ClipRow, bundle_sha256: str) -> Kept:
    """Embeddings of another model say nothing of this one's."""
    comparable = row.embedding is not None and row.bundle == bundle_sha256
    embedding = np.frombuffer(row.embedding or b"", "<f2").astype(np.float32) if comparable else None
    return Kept(row.machine, Reason(row.reason), row.start_ns, row.slot, embedding)


def _device(section: SourceSection) -> str:
    """The device as the configuration names it; a stream's address holds no password."""
    if isinstance(section, MicrophoneSection):
        return section.device
    return section.url[:512] if isinstance(section, StreamSection) else section.kind
