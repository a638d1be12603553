"""Field types that every model of the wire shares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from edge_agent.delivery.topics import ID_PATTERN
from edge_agent.delivery.ulid import ULID_PATTERN

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WireModel(BaseModel):
    """Base of all that goes on the wire: frozen, strictly typed, unknown keys refused."""

    model_config = ConfigDict(defer_build=True, frozen=True, strict=True, extra="forbid", ser_json_inf_nan="null")


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Ulid = Annotated[str, StringConstraints(pattern=ULID_PATTERN)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=2048)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0)]
NonNegative = Annotated[float, Field(allow_inf_nan=False, ge=0)]
Percentile = Annotated[float, Field(allow_inf_nan=False, ge=0, le=100)]
Count = Annotated[int, Field(ge=0)]
Timestamp = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"),
    Field(json_schema_extra={"format": "date-time"}),
]
"""RFC 3339 in UTC with microseconds; see `rfc3339`."""


def left_out() -> Any:  # noqa: ANN401  # as Field itself: it stands where the field's value will
    """A field that is None and not on the wire where it does not apply."""
    return Field(default=None, exclude_if=lambda value: value is None)


def rfc3339(time_ns: int) -> str:
    """Write a wall time, nanoseconds since 1970, as RFC 3339 UTC with microseconds (the rest is cut off).

    >>> rfc3339(1_700_000_000_123_456_789)
    '2023-11-14T22:13:20.123456Z'
    """
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"
