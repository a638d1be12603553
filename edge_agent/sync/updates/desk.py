"""Follows what the hub wants run: fetch, prepare, shadow, hand over; a thread of its own, none of it the scorer's.

The scorer's thread shows windows and asks what is due; the sync's thread asks for reports and passes instructions on.
"""

import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edge_agent.agent.profiles import ProfileStore
from edge_agent.clips.sidecar import BundleName
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import Declined, InUse, Slot, bundle_dir
from edge_agent.inference.manifest import BundleRef
from edge_agent.sync.updates import notice
from edge_agent.sync.updates.comparison import Comparison
from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.job import DeskReading, GoBack, Job, Repository, SeenWindow, TakeOver
from edge_agent.sync.updates.probation import Probation
from edge_agent.sync.updates.shelf import Shelf
from edge_agent.sync.updates.trial import Trial, TrialParts
from edge_agent.sync.wire import Assignment, Instructions, UpdateReport

_log = logging.getLogger(__name__)

_FIRST_RETRY_S = 30.0
_MAX_RETRY_S = 3600.0


class UpdateDesk:
    """Everything about new bundles that a running agent has.

    Args:
        state_dir: The agent's state directory.
        current: The bundle in use.
        configured: `model.bundle`.
        open_repository: Opens the hub's signed repository anew; raises `UpdateError`.
        machines: Machines that are listened to.
        clips: Directory of the gateway's clips.
        behind: Whether the scorer has more to do than it can; the shadow is shed first.
    """

    def __init__(
        self,
        state_dir: Path,
        current: Bundle,
        configured: str,
        *,
        open_repository: Callable[[], Repository],
        machines: Callable[[], frozenset[str]],
        clips: Path,
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self._state_dir = state_dir
        self._shelf = Shelf(state_dir)
        self._current = current
        self._configured = configured
        self._changed = threading.Condition()
        self._job: Job | None = None
        self._go_back: GoBack | None = None
        self._stopping = False
        self._counts: Counter[str] = Counter()
        parts = TrialParts(
            open_repository,
            machines,
            clips,
            behind,
            current=lambda: self._current,
            gone=self._gone,
            changed=self._changed,
            counts=self._counts,
            post=self._post,
        )
        self._trial = Trial(state_dir, self._shelf, parts)
        self._in_use = self._shelf.in_use()
        self._probation = Probation() if self._in_use is not None and not self._in_use.confirmed else None
        self._thread = threading.Thread(target=self._run, name="updates", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End; what is under way begins anew at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping

    @property
    def shadows(self) -> bool:
        """Whether windows are compared at present."""
        job = self._job
        return job is not None and job.phase == "shadow"

    # --- the sync's thread

    def report(self) -> UpdateReport | None:
        """How far it is; None where nothing was ever heard of."""
        with self._changed:
            job, in_use = self._job, self._in_use
            if job is not None:
                shadow = job.comparison.report() if job.phase == "shadow" else None
                told = job.assignment
                return UpdateReport(
                    rollout=told.rollout, bundle=told.bundle, phase=job.phase, why=job.why[:2048] or None, shadow=shadow
                )
        if in_use is None:
            return None
        if in_use.rollout is not None:
            return UpdateReport(rollout=in_use.rollout, bundle=_name(in_use.active.bundle), phase="active")
        if in_use.declined:
            last = in_use.declined[-1]
            return UpdateReport(rollout=last.rollout, bundle=_name(last.bundle), phase=last.phase, why=last.why or None)
        return None

    def instructed(self, instructions: Instructions) -> None:
        """The hub's answer to a report."""
        assignment = instructions.assignment
        with self._changed:
            in_use = self._in_use
            if in_use is not None and in_use.rollout in instructions.withdrawn:
                self._go_back = GoBack("the rollout was taken back")
            if assignment is not None and self._not_for_us(assignment, instructions.withdrawn):
                assignment = None
            job = self._job
            if assignment is None:
                self._job = None
            elif job is None or job.assignment.rollout != assignment.rollout:
                self._job = Job(assignment)
            else:
                job.assignment = assignment
            self._changed.notify_all()

    def _not_for_us(self, assignment: Assignment, withdrawn: tuple[str, ...]) -> bool:
        declined = () if self._in_use is None else self._in_use.declined
        known = {one.rollout for one in declined} | set(withdrawn)
        return assignment.rollout in known or assignment.bundle.sha256 == self._current.sha256

    # --- the scorer's thread

    def window(self, seen: SeenWindow | None, *, fault: bool) -> None:
        """A window is finished; `seen` where it may be compared."""
        if self._probation is not None:
            verdict = self._probation.window(fault=fault)
            if verdict == "confirmed":
                self._probation = None
                self._confirm()
            elif verdict == "failed":
                faults, self._probation = self._probation.faults, None
                with self._changed:
                    self._go_back = GoBack(f"{faults} windows could not be scored")
        job = self._job
        if seen is None or job is None or job.phase != "shadow":
            return
        self._trial.show(job, seen)

    def due(self) -> TakeOver | GoBack | None:
        """What the scorer's thread is to do now; None for nothing."""
        with self._changed:
            if self._go_back is not None:
                return self._go_back
            job = self._job
            if job is None or job.ready is None:
                return None
            if ProfileStore(self._state_dir).stamps() != job.stamps:
                _log.info("profiles were changed meanwhile: they are fitted anew")
                job.ready, job.prepared, job.phase, job.comparison = None, None, "refitting", Comparison()
                self._changed.notify_all()
                return None
            return job.ready

    def switch(self, take_over: TakeOver) -> None:
        """Put it into use; to be called when nothing can fail any more but this.

        Raises:
            UpdateError: The disk refuses; what is in use stays so.
        """
        in_use = self._shelf.switch(
            take_over.slot, self._current, rollout=take_over.rollout, configured=self._configured
        )
        with self._changed:
            self._in_use, self._current, self._job = in_use, take_over.bundle, None
            self._counts["taken"] += 1
        self._probation = Probation()

    def last_good(self) -> tuple[Bundle, Slot] | None:
        """The bundle to go back to, verified, and its profiles; None where there is none.

        Raises:
            UpdateError: It has a flaw.
        """
        in_use = self._shelf.in_use()
        if in_use is None or in_use.last_good is None:
            return None
        try:
            bundle = load_bundle(bundle_dir(self._state_dir, in_use.last_good.bundle.sha256), probe=False)
        except BundleError as error:
            raise UpdateError(f"the last good bundle cannot be used: {error}") from error
        return bundle, in_use.last_good

    def go_back(self, going: GoBack, bundle: Bundle) -> None:
        """Put the last good bundle into use again; to be called when nothing can fail any more but this.

        Raises:
            UpdateError: The disk refuses; what is in use stays so.
        """
        after = self._shelf.go_back(going.why)
        with self._changed:
            self._in_use, self._current, self._job, self._go_back = after, bundle, None, None
            self._counts["went_back"] += 1
        self._probation = None

    def moved(self, bundle: Bundle) -> None:
        """Somebody went back on the disk, and the agent listens with that."""
        with self._changed:
            self._in_use, self._current, self._job, self._go_back = self._shelf.in_use(), bundle, None, None
            self._counts["went_back"] += 1
        self._probation = None

    def cannot_go_back(self, why: str) -> None:
        """What is in use stays, for want of anything better; the hub asks again."""
        _log.error("the bundle in use is to be left and cannot be: %s", why)
        with self._changed:
            self._go_back = None

    def refused(self, take_over: TakeOver, why: str) -> None:
        """The scorer's thread could not listen with it."""
        with self._changed:
            job = self._job
        if job is not None and job.ready is take_over:
            self._decline(job, why)

    def reading(self) -> DeskReading:
        """The books; from any thread."""
        with self._changed:
            job, in_use, counts = self._job, self._in_use, dict(self._counts)
            shadow = None if job is None or job.phase != "shadow" else job.comparison.report()
        return DeskReading(
            phase="" if job is None else job.phase,
            confirmed=in_use is None or in_use.confirmed,
            taken=counts.get("taken", 0),
            went_back=counts.get("went_back", 0),
            refused=counts.get("refused", 0),
            windows=counts.get("windows", 0),
            errors=counts.get("errors", 0),
            shed=counts.get("shed", 0),
            percentile_shift=None if shadow is None else shadow.percentile_shift,
            latency_ratio=None if shadow is None else shadow.latency_ratio,
        )

    # --- the desk's own thread

    def _run(self) -> None:
        failures = itertools.count()
        while True:
            self._post()
            with self._changed:
                if self._job is None:
                    self._changed.wait_for(lambda: self._stopping or self._job is not None)
                self._changed.wait_for(lambda: self._stopping or self._job is None or self._job.ready is None)
                if self._stopping:
                    return
                job = self._job
            if job is None:
                continue
            try:
                self._trial.follow(job)
                failures = itertools.count()
            except UpdateError as error:
                if self._gone(job):
                    continue
                if error.lasting:
                    self._decline(job, str(error))
                    continue
                wait_s = min(_MAX_RETRY_S, _FIRST_RETRY_S * 2.0 ** next(failures))
                _log.warning("rollout %s: %s; again in %.0f s", job.assignment.rollout, error, wait_s)
                with self._changed:
                    job.why = str(error)
                    self._changed.wait_for(lambda: self._gone(job), wait_s)  # noqa: B023  # waited for in this round
            except Exception:
                _log.exception("rollout %s: a defect of the agent; the bundle in use stays", job.assignment.rollout)
                self._decline(job, "a defect of the agent, see its log")

    def _gone(self, job: Job) -> bool:
        return self._stopping or self._job is not job

    def _post(self) -> None:
        """Leave word on the disk."""
        job, report = self._job, self.report()
        said = None if job is None or report is None else notice.Notice(report=report, shed=job.comparison.shed)
        notice.post(self._state_dir, said)

    def _confirm(self) -> None:
        try:
            self._shelf.confirm()
            self._shelf.tidy()
        except UpdateError as error:
            _log.error("the bundle in use is well, but that cannot be written: %s", error)
        with self._changed:
            self._in_use = self._shelf.in_use()
        _log.info("the bundle in use is confirmed")

    def _decline(self, job: Job, why: str) -> None:
        told = job.assignment
        _log.error(
            "rollout %s: bundle %s %s is not taken: %s", told.rollout, told.bundle.name, told.bundle.version, why
        )
        one = Declined(rollout=told.rollout, bundle=_ref(told.bundle), phase="failed", why=why[:2048])
        try:
            self._shelf.decline(one, self._current, self._configured)
            self._shelf.tidy()
        except (UpdateError, BundleError) as error:
            _log.error("that cannot be written, and is forgotten at the next start: %s", error)
            self._in_use = (self._in_use or self._first()).declining(one)
        else:
            self._in_use = self._shelf.in_use()
        with self._changed:
            self._counts["refused"] += 1
            if self._job is job:
                self._job = None
            self._changed.notify_all()

    def _first(self) -> InUse:
        return InUse(configured=self._configured, active=self._shelf.slot_of(self._current))


def _name(ref: BundleRef) -> BundleName:
    return BundleName(name=ref.name, version=ref.version, sha256=ref.sha256)


def _ref(name: BundleName) -> BundleRef:
    return BundleRef(name=name.name, version=name.version, sha256=name.sha256)
