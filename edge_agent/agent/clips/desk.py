"""What people do with kept sound: have the next window kept, pin, label, delete. Every act is in the audit log."""

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.agent.asking.audit import AuditEntry
from edge_agent.agent.clips.keeping import ClipKeeping
from edge_agent.capture.clock import Clock
from edge_agent.clips.recorder import Requested
from edge_agent.clips.sidecar import OperatorLabel, Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.delivery.fields import rfc3339
from edge_agent.errors import CommandError


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts: the name that they give, and what is known of where they are."""

    name: str | None
    caller: str


class ClipDesk:
    """Acts on clips for the page; any thread may use it.

    Args:
        keeping: What keeps clips in the running agent.
        open_store: Opens the store, beside the writer.
        is_watched: Whether there is such a machine.
        record: Writes into the audit log.
        clock: Time.
    """

    def __init__(
        self,
        keeping: Callable[[], ClipKeeping | None],
        open_store: Callable[[], ClipStore],
        is_watched: Callable[[str], bool],
        record: Callable[[AuditEntry], None],
        clock: Clock,
    ) -> None:
        self._keeping = keeping
        self._open_store = open_store
        self._is_watched = is_watched
        self._record = record
        self._clock = clock

    def request(self, machine: str, by: Person) -> None:
        """Have the machine's next window kept, and pinned.

        Raises:
            CommandError: There is no such machine, or no clip is kept here.
        """
        keeping = self._keeping()
        if keeping is None or not self._is_watched(machine):
            raise CommandError(f"no machine {machine} is watched here, or no clips are kept")
        keeping.request(machine)
        self._note("clip_request", machine, by, f"the next window of {machine} is kept")

    def requested(self) -> dict[str, Requested]:
        """What became of the last request of each machine."""
        keeping = self._keeping()
        return {} if keeping is None else keeping.requested()

    def pin(self, clip: str, by: Person, *, pinned: bool) -> None:
        """Keep a clip for ever, or no longer.

        Raises:
            ClipError: There is none with this id, or the disk refused it.
        """
        changed = self._change(clip, {"pinned": pinned})
        self._note(
            "clip_pin" if pinned else "clip_unpin", f"{changed.machine} {clip}", by, "pinned" * pinned or "unpinned"
        )

    def label(self, clip: str, label: str, by: Person) -> None:
        """Say what a clip is; an empty label takes it back.

        Raises:
            ClipError: There is none with this id, or the disk refused it.
        """
        said = OperatorLabel(label=label, operator=by.name or by.caller, at=self._now()) if label else None
        changed = self._change(clip, {"label": said})
        self._note("clip_label", f"{changed.machine} {clip}", by, f"labelled {label}" if label else "no label any more")

    def delete(self, clip: str, by: Person) -> None:
        """Remove a clip, pinned or not.

        Raises:
            ClipError: There is none with this id, or the disk refused it.
        """
        store = self._open_store()
        try:
            machine = store.find(clip).machine
            store.delete(clip)
        finally:
            store.close()
        if (keeping := self._keeping()) is not None:
            keeping.deleted()
        self._note("clip_delete", f"{machine} {clip}", by, "deleted")

    def _change(self, clip: str, update: dict[str, object]) -> Sidecar:
        store = self._open_store()
        try:
            return store.change(clip, lambda sidecar: sidecar.model_copy(update=update))
        finally:
            store.close()

    def _note(self, verb: str, about: str, by: Person, text: str) -> None:
        self._record(
            AuditEntry(
                at=self._now(),
                channel="page",
                caller=by.caller,
                operator=by.name,
                verb=verb,
                id=None,
                issued_at=None,
                about=about,
                outcome="done",
                refusal=None,
                text=text,
                state=None,
                reason=None,
            )
        )

    def _now(self) -> str:
        return rfc3339(self._clock.wall_ns())
