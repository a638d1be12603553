"""The alarms on disk: `<state>/alarms.json`, replaced as a whole and checked as hostile input when read."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge_agent.alarms.alarm import Alarm, AlarmKey, Kind, Severity
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.states import Event, State
from edge_agent.durable import write_whole
from edge_agent.record import Record

VERSION = 1
MAX_BYTES = 4 * 1024 * 1024
_KEPT_ASIDE = 3

_Id = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$")]
_Ulid = Annotated[str, StringConstraints(pattern=r"^([0-7][0-9A-HJKMNP-TV-Z]{25})?$")]
_Clip = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_TimeNs = Annotated[int, Field(ge=0, lt=1 << 63)]
_Words = Annotated[str, StringConstraints(max_length=2048)]


class Heard(Record):
    """The episode as the detection knows it, so that it goes on after a restart."""

    number: Annotated[int, Field(ge=1)]
    first_anomalous_ns: _TimeNs
    peak_score: float
    peak_ns: _TimeNs
    anomalous_windows: Annotated[int, Field(ge=0)]


class Untold(Record):
    """What happened and was not handed over to be published yet.

    Attributes:
        event: The last that happened; None where only what is known of it grew.
        announce: Whether a person must be told.
    """

    event: Event | None
    announce: bool


class Shown(Record):
    """What explains an alarm beside its sentence.

    Attributes:
        clip: Id of its first clip.
        before: Id of a clip of the machine's normal sound.
        after: Id of its newest clip.
        explained: What was heard, in the words of whoever heard it.
    """

    clip: _Clip | None = None
    before: _Clip | None = None
    after: _Clip | None = None
    explained: Annotated[str, StringConstraints(max_length=32_768)] | None = None


class StoredAlarm(Record):
    """One alarm as it is kept.

    Attributes:
        told: Whether its last change was handed over to be published.
        heard: The episode as the detection knows it.
        untold: What else is to be told where it was not; absent in files of earlier versions.
        shown: What explains it; absent in files of earlier versions.

    The others are those of `Alarm`.
    """

    kind: Kind
    machine: _Id
    fault: _Id
    state: State
    active: bool
    id: _Ulid
    severity: Literal["low", "medium", "high", "critical"]
    text: _Words
    raised_ns: _TimeNs | None
    changed_ns: _TimeNs
    cleared_ns: _TimeNs | None
    reraised: Annotated[int, Field(ge=0)]
    returns: Annotated[int, Field(ge=0)]
    acknowledged_ns: _TimeNs | None
    acknowledged_by: _Words | None
    acknowledged_severity: Literal["low", "medium", "high", "critical"] | None
    shelved_until_ns: _TimeNs | None
    operator: _Words | None
    reason: _Words | None
    label: _Words | None
    machines: Annotated[tuple[_Id, ...], Field(max_length=256)]
    told: bool
    heard: Heard | None
    untold: Untold | None = None
    shown: Shown | None = None

    @classmethod
    def of(
        cls, alarm: Alarm, *, heard: Heard | None, untold: Untold | None = None, shown: Shown | None = None
    ) -> "StoredAlarm":
        """Write an alarm down."""
        seen = alarm.acknowledged_severity
        return cls(
            kind=alarm.key.kind,
            machine=alarm.key.machine,
            fault=alarm.key.fault,
            severity=alarm.severity.word,
            acknowledged_severity=None if seen is None else seen.word,
            told=untold is None,
            heard=heard,
            untold=untold,
            shown=shown,
            **{name: getattr(alarm, name) for name in _SAME},
        )

    def alarm(self) -> Alarm:
        """Read it back."""
        seen = self.acknowledged_severity
        return Alarm(
            key=AlarmKey(self.kind, self.machine, self.fault),
            severity=Severity[self.severity.upper()],
            acknowledged_severity=None if seen is None else Severity[seen.upper()],
            **{name: getattr(self, name) for name in _SAME},
        )


_SAME = (
    "state", "active", "id", "text", "raised_ns", "changed_ns", "cleared_ns", "reraised", "returns",
    "acknowledged_ns", "acknowledged_by", "shelved_until_ns", "operator", "reason", "label", "machines",
)  # fmt: skip


class _File(Record):
    version: Literal[1]
    alarms: Annotated[tuple[StoredAlarm, ...], Field(max_length=8192)]


class AlarmStore:
    """Reads and replaces the file.

    Args:
        directory: The state directory; it must exist before `save`.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "alarms.json"

    def load(self) -> tuple[StoredAlarm, ...]:
        """What is on disk; nothing where there is no file.

        Raises:
            AlarmError: The file cannot be read, is too large or no file of this version.
        """
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise AlarmError(f"{self.path} cannot be read ({error.strerror}); check its rights and the disk") from error
        if len(content) > MAX_BYTES:
            raise AlarmError(f"{self.path} has more than {MAX_BYTES} bytes: no file of this agent")
        try:
            return _File.model_validate_json(content).alarms
        except ValueError as error:
            first = str(error).splitlines()[:3]
            raise AlarmError(f"{self.path} is no alarm file of version {VERSION}: {' '.join(first)}") from error

    def save(self, alarms: Iterable[StoredAlarm]) -> None:
        """Replace the file, at once and for good: after a power cut there is the old one or the new one.

        Raises:
            AlarmError: The disk refused; the old file is there still.
        """
        content = _File(version=VERSION, alarms=tuple(alarms)).model_dump_json(exclude_defaults=True).encode()
        try:
            write_whole(self.path, content)
        except OSError as error:
            raise AlarmError(f"{self.path} cannot be written ({error.strerror}); check the disk") from error

    def set_aside(self, now_ns: int) -> Path:
        """Move a damaged file out of the way, and keep the last few.

        Raises:
            AlarmError: It cannot be moved.
        """
        target = self.path.with_name(f"{self.path.name}.damaged-{now_ns}")
        try:
            self.path.replace(target)
        except OSError as error:
            raise AlarmError(f"{self.path} cannot be moved to {target} ({error.strerror}); check the disk") from error
        old = sorted(self.path.parent.glob(f"{self.path.name}.damaged-*"))[:-_KEPT_ASIDE]
        for path in old:
            with contextlib.suppress(OSError):  # what cannot be removed harms nothing
                path.unlink()
        return target
