"""Clips on their way to the hub: chosen, screened for speech once more, sent, and acknowledged."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import edge_agent
from edge_agent.clips import files
from edge_agent.clips.errors import ClipError
from edge_agent.clips.reasons import Reason
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.delivery.fields import rfc3339
from edge_agent.sync.client import HubClient
from edge_agent.sync.errors import ItemRefusedError
from edge_agent.sync.marks import ASIDE_OF_STATUS, Aside, SyncMarks
from edge_agent.sync.pace import Hours
from edge_agent.sync.stats import SyncBooks
from edge_agent.sync.wire import AUDIO_TYPE, LOG_MEL_TYPE, MAX_CLIP_BYTES, ClipRecord

_log = logging.getLogger(__name__)

MEDIA_TYPES = {"audio": AUDIO_TYPE, "log_mel": LOG_MEL_TYPE}
_BATCH = 16
_CHOICE_HOLDS_S = 30.0
_TIDY_EVERY_NS = 6 * 3600 * 1_000_000_000
_REFUSED_BY_HUB = (*ASIDE_OF_STATUS.values(), Aside.REFUSED)
_URGENT = (Reason.ALARM, Reason.REQUEST)


class UploadJudge(Protocol):
    """Says whether a clip may leave the gateway (`clips.upload.UploadScreen`)."""

    def refuses(self, sidecar: Sidecar, payload: Path) -> str | None:
        """Why it must not; None where it may."""


class ReadyClips:
    """Clips that may leave the gateway, the worthiest first; what must not is set aside, with the reason.

    Args:
        store: The clips.
        marks: What is set aside.
        make_judge: Makes what looks for speech, and its name: another one may judge otherwise. Called when the first
            clip is chosen.
        now_ns: Wall time.
    """

    def __init__(
        self,
        store: ClipStore,
        marks: SyncMarks,
        make_judge: Callable[[], tuple[UploadJudge, str]],
        *,
        now_ns: Callable[[], int],
    ) -> None:
        self._store = store
        self._marks = marks
        self._make_judge = make_judge
        self._now_ns = now_ns
        self._judge: tuple[UploadJudge, str] | None = None
        self._tidied_ns = 0
        self._cleared: set[str] = set()
        self._unreadable: set[str] = set()

    def choose(
        self, limit: int, *, reasons: tuple[Reason, ...] = tuple(Reason), excluding: frozenset[str] = frozenset()
    ) -> tuple[Sidecar, ...]:
        """At most so many; none only where there are none.

        Raises:
            ClipError, SyncError: The disk refuses it.
            SpeechError: The detector cannot be used: nothing leaves the gateway.
        """
        if self._judge is None:
            self._judge = self._make_judge()
            self._marks.judged(Aside.SPEECH, self._judge[1])
            for reason in _REFUSED_BY_HUB:
                self._marks.judged(reason, edge_agent.__version__)  # a newer agent may say it so that the hub takes it
        if self._now_ns() - self._tidied_ns > _TIDY_EVERY_NS:
            self._tidied_ns = self._now_ns()
            self._marks.forget_all_but(row.id for row in self._store.rows())
        while True:
            aside = excluding | self._unreadable | self.aside()
            rows = self._store.unsynced(
                settled_before=rfc3339(self._now_ns()), limit=limit, excluding=aside, reasons=reasons
            )
            self._cleared.intersection_update(row.id for row in rows)
            judge, name = self._judge
            found = tuple(clip for row in rows if (clip := self._screened(row.id, judge, name)) is not None)
            if found or not rows:
                return found

    def aside(self) -> frozenset[str]:
        """Clips that are not sent."""
        return frozenset(each.clip for each in self._marks.aside())

    def waiting(self) -> tuple[int, int]:
        """Number and bytes of the clips that are to be sent, now or when their hour comes.

        Raises:
            ClipError, SyncError: The disk refuses it.
        """
        return self._store.unsynced_size(settled_before=rfc3339(self._now_ns()), excluding=self.aside())

    def _screened(self, clip_id: str, judge: UploadJudge, judged_by: str) -> Sidecar | None:
        try:
            sidecar = self._store.find(clip_id)
            path = self._store.payload_path(sidecar)
            if sidecar.size_bytes > MAX_CLIP_BYTES:
                why = f"{sidecar.size_bytes} bytes; a clip has at most {MAX_CLIP_BYTES}"
                self._marks.set_aside(clip_id, Aside.TOO_LARGE, why, by=edge_agent.__version__)
                return None
            if clip_id not in self._cleared and (said := judge.refuses(sidecar, path)):
                _log.info("clip %s stays on the gateway: %s", clip_id, said)
                self._marks.set_aside(clip_id, Aside.SPEECH, said, by=judged_by)
                return None
        except ClipError as error:
            if error.failure is None:
                self._marks.set_aside(clip_id, Aside.DAMAGED, str(error), by=edge_agent.__version__)
            else:
                _log.error("clip %s is not sent before the next start: %s", clip_id, error)
                self._unreadable.add(clip_id)  # a disk that fails now may answer after a restart
            return None
        self._cleared.add(clip_id)
        return sidecar


class ClipUploader:
    """Sends clips one by one. For one thread; another process may do the same at the same time.

    Args:
        ready: Chooses them.
        store: The clips.
        marks: What is set aside, and which labels the hub knows.
        client: The hub.
        books: What is counted.
        lock: File that keeps two processes from sending the same clip.
        hours: When clips may go; None: at any time.
        urgent_any_time: Whether alarms and requests do not wait for that.
        now_ns: Wall time.
        now_s: Monotonic time.
        local_time: Local time of day.
    """

    def __init__(
        self,
        ready: ReadyClips,
        store: ClipStore,
        marks: SyncMarks,
        client: HubClient,
        books: SyncBooks,
        *,
        lock: Path,
        hours: Hours | None = None,
        urgent_any_time: bool = True,
        now_ns: Callable[[], int],
        now_s: Callable[[], float],
        local_time: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._ready = ready
        self._store = store
        self._marks = marks
        self._client = client
        self._books = books
        self._lock = lock
        self._hours = hours
        self._urgent_any_time = urgent_any_time
        self._now_ns = now_ns
        self._now_s = now_s
        self._local_time = local_time
        self._chosen: deque[Sidecar] = deque()
        self._absent: frozenset[str] = frozenset()
        self._chosen_s = float("-inf")

    def step(self) -> bool:
        """Send one clip; False where none may go now.

        Raises:
            HubError: Not now; nothing is lost.
            ClipError, SyncError: The gateway's own disk refuses it.
        """
        if not self._chosen or self._now_s() - self._chosen_s > _CHOICE_HOLDS_S:
            self._choose()
        if not self._chosen:
            return False
        with files.held(self._lock):
            self._send(self._chosen.popleft())
        return True

    def _choose(self) -> None:
        self._chosen.clear()
        reasons: tuple[Reason, ...] = tuple(Reason)
        if self._hours is not None and not self._hours.hold(self._local_time().time()):
            reasons = _URGENT if self._urgent_any_time else ()
        chosen = self._ready.choose(_BATCH, reasons=reasons) if reasons else ()
        if chosen:
            self._absent = self._client.missing_clips(sidecar.sha256 for sidecar in chosen)
        self._chosen.extend(chosen)
        self._chosen_s = self._now_s()

    def _send(self, chosen: Sidecar) -> None:
        try:
            sidecar = self._store.find(chosen.id)
            if sidecar.synced_at is not None:
                return  # another process was faster
            self._deliver(sidecar)
        except ItemRefusedError as error:
            if error.status == 403:
                self._client.missing_clips(())  # raises where it is the gateway that is refused, and not the clip
            reason = ASIDE_OF_STATUS.get(error.status, Aside.REFUSED)
            _log.warning("the hub does not want clip %s: %s", chosen.id, error)
            self._marks.set_aside(chosen.id, reason, str(error), by=edge_agent.__version__)
        except FileNotFoundError:
            return  # given up for room meanwhile
        except ClipError as error:
            if error.failure is not None:
                raise
        except OSError as error:
            self._marks.set_aside(chosen.id, Aside.DAMAGED, f"its file: {error.strerror}", by=edge_agent.__version__)

    def _deliver(self, sidecar: Sidecar) -> None:
        sent = sidecar.sha256 in self._absent
        if sent:
            self._put_file(sidecar)
        try:
            self._record(sidecar)
        except ItemRefusedError as error:
            if error.status != 409 or sent:
                raise
            self._put_file(sidecar)  # it was there a moment ago, and is not any more
            self._record(sidecar)

    def _put_file(self, sidecar: Sidecar) -> None:
        self._client.put_file(sidecar.sha256, self._store.payload_path(sidecar), MEDIA_TYPES[sidecar.sound.kind])
        self._absent -= {sidecar.sha256}
        self._books.files += 1
        self._books.sent_bytes += sidecar.size_bytes

    def _record(self, sidecar: Sidecar) -> None:
        self._client.put_record(ClipRecord(sidecar=sidecar, agent_version=edge_agent.__version__))
        # Only now: with this word the clip is worth less here, and may be given up for room.
        acknowledge(self._store, self._marks, sidecar, self._now_ns())
        self._books.clips += 1


def acknowledge(store: ClipStore, marks: SyncMarks, sidecar: Sidecar, now_ns: int) -> None:
    """Note that the hub has a clip with this sidecar: the only place where `synced_at` is written."""
    store.change(sidecar.id, lambda clip: clip.model_copy(update={"synced_at": rfc3339(now_ns)}))
    marks.told(sidecar.id, None if sidecar.label is None else sidecar.label.label)
