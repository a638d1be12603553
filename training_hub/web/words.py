"""How values are said on a page."""

from __future__ import annotations

from datetime import date, datetime

NOTHING = "\u2013"
"""Said where there is no value."""

_ROLE_NAMES = {1: "viewer", 2: "operator", 3: "engineer", 4: "admin"}
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_SAID = {
    "new": "not looked at",
    "rolled_back": "rolled back",
    "input_fault": "input fault",
    "plant_event": "plant event",
    "returned_unacknowledged": "returned, unacknowledged",
    "out_of_service": "out of service",
    "log_mel": "spectrogram only",
}


def said(word: str | None) -> str:
    """A word of the database as a person says it.

    >>> said("rolled_back"), said("bearing_outer_race")
    ('rolled back', 'bearing outer race')
    """
    if word is None or word == "":
        return NOTHING
    return _SAID.get(word, word.replace("_", " "))


def number(value: float | None, digits: int = 2) -> str:
    """A number with that many digits behind the point; a dash where there is none.

    >>> number(0.12345, 3), number(1234.5, 0)
    ('0.123', '1,234')
    """
    return NOTHING if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage.

    >>> percent(0.0123)
    '1.2 %'
    """
    return NOTHING if value is None else f"{100 * value:.{digits}f} %"


def size(value: int | None) -> str:
    """Bytes for a person.

    >>> size(320), size(131_840_000)
    ('320 B', '131.8 MB')
    """
    if value is None:
        return NOTHING
    amount, unit = float(value), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def span(seconds: float | None) -> str:
    """A length of time, its largest unit.

    >>> span(42), span(7_300), span(400_000)
    ('42 s', '2 h', '4 d')
    """
    if seconds is None:
        return NOTHING
    for unit_s, unit in _UNITS:
        if seconds >= unit_s:
            return f"{int(seconds / unit_s)} {unit}"
    return f"{max(0, int(seconds))} s"


def utc(at: datetime | date | None) -> str:
    """An instant in UTC, or a day.

    >>> from datetime import UTC
    >>> utc(datetime(2026, 5, 18, 9, 30, 5, tzinfo=UTC))
    '2026-05-18 09:30:05 UTC'
    """
    if at is None:
        return NOTHING
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if isinstance(at, datetime) else at.isoformat()


def short(sha256: str | None) -> str:
    """The first digits of a hash or id, enough to tell it by."""
    return NOTHING if not sha256 else sha256[:10]


def actor(name: str | None) -> str:
    """Who, without the kind where it is a person: `user:anna` is anna."""
    return NOTHING if not name else name.removeprefix("user:")


def role_name(role: int) -> str:
    """A role's word."""
    return _ROLE_NAMES[int(role)]
