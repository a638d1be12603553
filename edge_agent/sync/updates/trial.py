"""Prepares a bundle and shadows with it, on the desk's own thread."""

import logging
import os
import queue
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

import edge_agent
from edge_agent.agent.profiles import ProfileStore
from edge_agent.inference.bundle import Bundle, load_bundle, version_numbers
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import Slot, bundle_dir
from edge_agent.sync.updates.child import ChildOrders
from edge_agent.sync.updates.comparison import Pair
from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.job import Job, Repository, SeenWindow, TakeOver
from edge_agent.sync.updates.prepare import Preparation
from edge_agent.sync.updates.process import UpdateProcess
from edge_agent.sync.updates.shelf import Shelf
from edge_agent.sync.wire import UpdatePhase

_log = logging.getLogger(__name__)

WAITING_WINDOWS = 8
"""Windows that wait for the shadow; what comes on top is shed and counted."""
_PREPARE_S = 3600.0
_SCORE_S = 60.0
_LOOK_S = 0.5
_MOST_ERRORS = 20
_POST_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class TrialParts:
    """What a trial shares with its desk.

    Attributes:
        open_repository: Opens the hub's signed repository anew; raises `UpdateError`.
        machines: Machines that are listened to.
        clips: Directory of the gateway's clips.
        behind: Whether the scorer has more to do than it can.
        current: The bundle in use.
        gone: Whether a job is not wanted any more.
        changed: Guards jobs and counts.
        counts: Windows by outcome, since the start.
        post: Leaves word of how far it is.
    """

    open_repository: Callable[[], Repository]
    machines: Callable[[], frozenset[str]]
    clips: Path
    behind: Callable[[], bool]
    current: Callable[[], Bundle]
    gone: Callable[[Job], bool]
    changed: Condition
    counts: Counter[str]
    post: Callable[[], None]


class Trial:
    """One bundle at a time, from its target to the moment at which it may be taken over.

    Args:
        state_dir: The agent's state directory.
        shelf: What lies on its disk.
        parts: What it shares with its desk.
    """

    def __init__(self, state_dir: Path, shelf: Shelf, parts: TrialParts) -> None:
        self._state_dir = state_dir
        self._shelf = shelf
        self._parts = parts
        self._windows: queue.Queue[SeenWindow] = queue.Queue(WAITING_WINDOWS)

    def show(self, job: Job, seen: SeenWindow) -> None:
        """A window for the shadow; shed where there is no time for it. The scorer's thread."""
        if not self._parts.behind():
            try:
                self._windows.put_nowait(seen)
                return
            except queue.Full:
                pass  # counted below
        with self._parts.changed:
            job.comparison.shed += 1
            self._parts.counts["shed"] += 1

    def follow(self, job: Job) -> None:
        """Prepare the bundle and shadow with it, until it is taken over or the job is gone.

        Raises:
            UpdateError: It is not for this gateway, or not now.
        """
        if job.prepared is None:
            self._prepare(job)
        self._shadow(job)

    def _prepare(self, job: Job) -> None:
        told = job.assignment
        self._phase(job, "downloading")
        repository = self._parts.open_repository()
        offer = repository.find(told.target)
        if offer.custom.ref.model_dump() != told.bundle.model_dump():
            raise UpdateError(f"target {told.target} is signed as another bundle than the hub says", lasting=False)
        if version_numbers(offer.custom.minimum_agent_version) > version_numbers(edge_agent.__version__):
            raise UpdateError(
                f"bundle {told.bundle.name} {told.bundle.version} needs agent {offer.custom.minimum_agent_version} or "
                f"newer, this is {edge_agent.__version__}; update the agent"
            )
        self._shelf.clear_incoming()
        archive = self._shelf.incoming / told.target
        repository.download(offer, archive)
        stamps = ProfileStore(self._state_dir).stamps()
        slot = Slot(bundle=offer.custom.ref, profiles=f"{told.bundle.sha256[:16]}-{time.time_ns():x}")
        work = self._work(slot, archive)
        with UpdateProcess(ChildOrders(parent_pid=os.getpid(), work=work), lambda: self._parts.gone(job)) as process:
            while (said := process.hear(_PREPARE_S)).get("event") != "prepared":
                self._phase(job, "verified" if said.get("phase") == "verified" else "refitting")
        for left in said.get("left_out", ()):
            _log.warning("not fitted to the new bundle, nobody listens to it: %s", left)
        _log.info(
            "bundle %s %s is verified, %d profiles fitted, %d recent clips compared, %.0f s",
            told.bundle.name, told.bundle.version, len(said["machines"]), said["clips"], said["took_s"],
        )  # fmt: skip
        with self._parts.changed:
            job.stamps, job.prepared = stamps, slot

    def _shadow(self, job: Job) -> None:
        assert job.prepared is not None
        while not self._windows.empty():
            self._windows.get_nowait()
        orders = ChildOrders(parent_pid=os.getpid(), work=self._work(job.prepared, self._shelf.incoming), shadow=True)
        with UpdateProcess(orders, lambda: self._parts.gone(job)) as process:
            known = frozenset(process.hear(_PREPARE_S)["machines"])
            self._phase(job, "shadow")
            posted_s = time.monotonic()
            while not self._parts.gone(job):
                told = job.assignment
                compared = job.comparison.enough(known & self._parts.machines(), told.shadow_windows)
                if told.mode == "active" and compared:
                    bundle = self._open(job.prepared)
                    with self._parts.changed:
                        job.ready = TakeOver(bundle, job.prepared, told.rollout)
                        self._parts.changed.wait_for(lambda: self._parts.gone(job) or job.ready is None)
                    return
                if time.monotonic() - posted_s > _POST_EVERY_S:
                    posted_s = time.monotonic()
                    self._parts.post()
                try:
                    seen = self._windows.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                if seen.machine in known:
                    self._compare(job, process, seen)

    def _compare(self, job: Job, process: UpdateProcess, seen: SeenWindow) -> None:
        process.show(seen.machine, seen.log_mel_db)
        said = process.hear(_SCORE_S)
        with self._parts.changed:
            if said.get("event") != "scored":
                job.comparison.errors += 1
                job.why = str(said.get("why", ""))[:500]
                self._parts.counts["errors"] += 1
                hopeless = job.comparison.errors > max(_MOST_ERRORS, job.comparison.windows)
            else:
                self._parts.counts["windows"] += 1
                hopeless = False
                job.comparison.add(
                    Pair(
                        machine=seen.machine,
                        old_percentile=seen.percentile,
                        new_percentile=float(said["percentile"]),
                        old_anomalous=seen.anomalous,
                        new_anomalous=bool(said["anomalous"]),
                        old_s=said.get("old_s"),
                        new_s=said.get("new_s"),
                    )
                )
        if hopeless:
            raise UpdateError(f"in the shadow it fails on most windows: {job.why}")

    def _open(self, slot: Slot) -> Bundle:
        try:
            return load_bundle(bundle_dir(self._state_dir, slot.bundle.sha256), probe=False, self_test=False)
        except BundleError as error:
            raise UpdateError(str(error)) from error

    def _work(self, slot: Slot, archive: Path) -> Preparation:
        return Preparation(
            state_dir=self._state_dir,
            archive=archive,
            expected=slot.bundle,
            former=self._parts.current().root,
            profiles=slot.profiles,
            machines=tuple(sorted(self._parts.machines())),
            clips=self._parts.clips,
        )

    def _phase(self, job: Job, phase: UpdatePhase) -> None:
        with self._parts.changed:
            if job.phase != phase:
                _log.info("rollout %s: %s", job.assignment.rollout, phase)
            job.phase, job.why = phase, ""
        self._parts.post()
