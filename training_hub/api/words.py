"""Types of what callers send, that no database, log or page chokes on: shared by all routes."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

from edge_agent.delivery.fields import Sha256, Ulid
from edge_agent.settings.base import ID_PATTERN

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)

NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
"""PostgreSQL takes no NUL, terminals and pages no control characters; lone surrogates are no text at all."""

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
"""Name of a site, machine, machine type or gateway."""
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_CONTROLS)]
"""A label, a recording, a word to search for."""
LongText = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
"""A note; lines are welcome."""
PageCursor = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[A-Za-z0-9_-]+$")]


def _within(moment: datetime) -> datetime:
    """Moments no calendar can convert mean the same as the earliest or latest that can be."""
    naive = moment.replace(tzinfo=None)
    if naive <= datetime(1970, 1, 3):
        return _EARLIEST
    return _LATEST if naive >= datetime(2199, 12, 30) else moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_within)]
"""A time with its zone."""

ClipId = Annotated[Ulid, Path(description="Id of the clip.", examples=["01HF7YAT000000000000000000"])]
UlidPath = Annotated[Ulid, Path(description="Id.", examples=["01HF7YAT000000000000000000"])]
Sha256Path = Annotated[Sha256, Path(description="SHA-256 in hex.")]

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
After = Annotated[PageCursor | None, Query(description="`next` of the page before; leave it out for the first page.")]
Since = Annotated[Moment | None, Query(description="From this moment.", examples=["2026-01-01T00:00:00Z"])]
Until = Annotated[Moment | None, Query(description="Before this moment.", examples=["2026-02-01T00:00:00Z"])]


class View(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(frozen=True, from_attributes=True, ser_json_inf_nan="null", protected_namespaces=())


class Wish(BaseModel):
    """Base of what is asked for: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
