"""One round after another: report, events, labels, clips; and what is done when the hub does not answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from edge_agent.clips.errors import ClipError
from edge_agent.speech.errors import SpeechError
from edge_agent.sync.errors import HubError, SyncError, Trouble
from edge_agent.sync.journal import SentJournal
from edge_agent.sync.labels import LabelPost
from edge_agent.sync.pace import Backoff
from edge_agent.sync.reconcile import EventReconciler
from edge_agent.sync.reports import ReportDesk
from edge_agent.sync.stats import SyncBooks

_log = logging.getLogger(__name__)

DENIED_WAIT_S = 900.0
"""A key that the hub does not know is tried again this often: people mend such things at the hub."""
_IDLE_S = 5.0
_LOCAL_WAIT_S = 30.0
_LABELS_EVERY_S = 30.0
_MAINTAIN_EVERY_S = 60.0


class Step(Protocol):
    """Work in small pieces."""

    def step(self) -> bool:
        """Do a piece; False where there is none now."""


class SyncListener(Protocol):
    """Told how it goes, on the sync's thread; must return at once and not raise."""

    def reached(self) -> None:
        """The hub answers."""

    def failed(self, trouble: Trouble, what: str) -> None:
        """It does not."""

    def hindered(self, what: str) -> None:
        """The gateway's own disk or detector stands in the way; an empty text: no more."""


class NoListener:
    """Tells nobody."""

    def reached(self) -> None:
        """Nobody asks."""

    def failed(self, trouble: Trouble, what: str) -> None:
        """Nobody asks."""

    def hindered(self, what: str) -> None:
        """Nobody asks."""


class SyncRounds:
    """Everything between this gateway and its hub, in pieces that take as long as one clip. For one thread.

    Args:
        books: What is counted.
        backoff: Waits while the hub is away.
        clips: Sends clips; None: none are kept.
        events: Reconciles events; None: none are published.
        labels: Carries labels up; None: they stay.
        reports: Reports; None: somebody else does.
        journal: Looked after now and then.
        listener: Told how it goes.
        now_s: Monotonic time.
        wall_s: Wall time.
        synced_ns: Wall time while it can be trusted, else None; for the journal's age limit.
        jitter: Random number in `[0, 1)` for each wait.
    """

    def __init__(
        self,
        books: SyncBooks,
        backoff: Backoff,
        *,
        clips: Step | None,
        events: EventReconciler | None,
        labels: LabelPost | None,
        reports: ReportDesk | None,
        journal: SentJournal | None,
        listener: SyncListener,
        report_s: float,
        now_s: Callable[[], float],
        wall_s: Callable[[], float],
        synced_ns: Callable[[], int | None],
        jitter: Callable[[], float],
    ) -> None:
        self._books = books
        self._backoff = backoff
        self._clips = clips
        self._events = events
        self._labels = labels
        self._reports = reports
        self._journal = journal
        self._listener = listener
        self._report_s = report_s
        self._now_s = now_s
        self._wall_s = wall_s
        self._synced_ns = synced_ns
        self._jitter = jitter
        self._not_before_s = self._report_at_s = self._labels_at_s = self._maintain_at_s = float("-inf")
        self._hindered_until_s: dict[str, float] = {}
        self._hindrances: dict[str, str] = {}
        self._answered: bool | None = None

    def next(self) -> float:
        """Do what is due; returns how long to wait before the next call, seconds.

        Raises:
            StoppedError: The agent ends.
        """
        now_s = self._now_s()
        if self._journal is not None and now_s >= self._maintain_at_s:
            self._maintain_at_s = now_s + _MAINTAIN_EVERY_S
            self._piece("journal", lambda: self._maintain())  # noqa: PLW0108  (reads better beside the others)
        if now_s < self._not_before_s:
            return min(self._not_before_s - now_s, _IDLE_S)
        try:
            busy = self._round(now_s)
        except HubError as error:
            return self._failed(error)
        return 0.0 if busy else min(_IDLE_S, max(0.05, self._report_at_s - self._now_s()))

    def once(self) -> None:
        """Send all that may go now, without a report; for a command.

        Raises:
            HubError: The hub does not answer; nothing is lost.
            ClipError, SpeechError, SyncError: The gateway's own disk or detector stands in the way.
        """
        if self._labels is not None:
            self._labels.send()
        for step in (self._events, self._clips):
            while step is not None and step.step():
                self._succeeded()

    def _round(self, now_s: float) -> bool:
        """One piece of everything; whether there may be more of it."""
        asked = False
        if self._reports is not None and now_s >= self._report_at_s:
            asked |= self._piece("report", self._report)
        if self._labels is not None and now_s >= self._labels_at_s:
            self._piece("labels", self._labels.send)
            self._labels_at_s = now_s + _LABELS_EVERY_S
        more_events = self._events is not None and self._piece("events", self._events.step)
        more_clips = self._clips is not None and self._piece("clips", self._clips.step)
        if asked or more_events or more_clips:
            self._succeeded()
        return more_events or more_clips

    def _piece(self, name: str, work: Callable[[], bool | None]) -> bool:
        """Do a piece of work; what the gateway's own disk refuses keeps the other pieces from nothing."""
        if self._now_s() < self._hindered_until_s.get(name, float("-inf")):
            return False
        try:
            done = bool(work())
        except HubError:
            raise
        except (ClipError, SpeechError, SyncError) as error:
            self._hindered_until_s[name] = self._now_s() + _LOCAL_WAIT_S
            if name not in self._hindrances:
                _log.error("sync of %s: %s; tried again", name, error)
            self._hindrances[name] = str(error)
            self._listener.hindered(str(error))
            return False
        if self._hindrances.pop(name, None) is not None:
            _log.info("sync of %s works again", name)
            self._listener.hindered(next(iter(self._hindrances.values()), ""))
        return done

    def _report(self) -> bool:
        assert self._reports is not None
        instructions = self._reports.report()
        asked_s = instructions.report_after_s if "report_after_s" in instructions.model_fields_set else self._report_s
        self._report_at_s = self._now_s() + asked_s
        return True

    def _maintain(self) -> None:
        assert self._journal is not None
        self._journal.maintain(self._synced_ns())

    def _succeeded(self) -> None:
        self._backoff.reset()
        self._books.trouble, self._books.said = None, ""
        self._books.last_success_s = self._wall_s()
        if self._answered is not True:
            self._answered = True
            _log.info("the hub answers")
        self._listener.reached()

    def _failed(self, error: HubError) -> float:
        self._books.failures[error.trouble.value] += 1
        if self._answered is not False or self._books.trouble is not error.trouble:
            _log.warning("%s; clips and events wait on this gateway", error)
        self._answered = False
        self._books.trouble, self._books.said = error.trouble, str(error)
        self._listener.failed(error.trouble, str(error))
        wait_s = self._backoff.next_s(jitter=self._jitter())
        if error.trouble is Trouble.DENIED:
            wait_s = max(wait_s, DENIED_WAIT_S)
        if error.retry_after_s is not None:
            wait_s = max(wait_s, error.retry_after_s)
        self._not_before_s = self._now_s() + wait_s
        return min(wait_s, _IDLE_S)
