"""Where a page of a list ended: a place by value, so that rows which come or go meanwhile repeat or hide no other."""

import base64
import binascii
import json
import math
from dataclasses import dataclass
from datetime import datetime

from training_hub.catalogue.errors import CatalogueError

Value = str | float | int | None
_MAX_CURSOR = 1024


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list.

    Attributes:
        sort: The list's order, as `-heard_at`; a cursor is of no use in another.
        value: The last row's value in that order; a time in RFC 3339.
        id: The last row's id.
    """

    sort: str
    value: Value
    id: str

    def encode(self) -> str:
        """As it travels; opaque to others.

        >>> Cursor.decode(Cursor("-score", 2.5, "01A").encode(), sort="-score").value
        2.5
        """
        text = json.dumps([self.sort, self.value, self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, *, sort: str) -> "Cursor":
        """Read as hostile input.

        Raises:
            CatalogueError: No cursor, or of another order.
        """
        try:
            if len(text) > _MAX_CURSOR:
                raise ValueError("too long")
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            found, value, id_ = json.loads(raw.decode("utf-8"))
            sound = isinstance(found, str) and isinstance(id_, str) and _plain(id_) and len(id_) <= 64
            if not sound or isinstance(value, bool) or not isinstance(value, str | float | int | None):
                raise ValueError("other types")
            if (isinstance(value, str) and not _plain(value)) or (
                isinstance(value, float | int) and not (math.isfinite(value) and abs(value) < 1e18)
            ):
                raise ValueError("out of range")
        except (ValueError, TypeError, binascii.Error, RecursionError, OverflowError) as error:
            raise CatalogueError("the cursor is none; leave it out to begin at the start") from error
        if found != sort:
            raise CatalogueError(f"the cursor is of the order {found!r}, not {sort!r}; leave it out to begin anew")
        return cls(found, value, id_)

    def moment(self) -> datetime | None:
        """Its value as a time.

        Raises:
            CatalogueError: It is none.
        """
        if self.value is None:
            return None
        try:
            found = datetime.fromisoformat(str(self.value))
        except ValueError as error:
            raise CatalogueError("the cursor is none; leave it out to begin at the start") from error
        if found.tzinfo is None:
            raise CatalogueError("the cursor is none; leave it out to begin at the start")
        return found


def _plain(text: str) -> bool:
    """Nothing that a database or a terminal chokes on."""
    return all(" " <= letter and not "\ud800" <= letter <= "\udfff" for letter in text)
