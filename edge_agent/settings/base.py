"""What every section of the settings shares: strictness, identifiers, the error of a cross-check."""

from pathlib import Path
from typing import Annotated, Self, cast

from pydantic import BaseModel, ConfigDict, Field

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

Identifier = Annotated[str, Field(pattern=ID_PATTERN)]
"""Name of a site, gateway, source or machine; safe in a topic, a metric label and a file name."""

FilePath = Annotated[Path, Field(strict=False)]
"""A path, written as a string; a relative one counts from the working directory."""

Location = tuple[str | int, ...]
"""Where a key stands: `("source", 0, "rate_hz")`."""


class Section(BaseModel):
    """A table of the settings: frozen, typed strictly, and without unknown keys."""

    model_config = ConfigDict(
        defer_build=True, extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=()
    )

    @classmethod
    def defaults(cls) -> Self:
        """What it says where nobody says anything.

        Made without its checks, which pydantic leaves out for defaults as well. They would be built for nothing: what
        comes from a file is checked by those of all settings, which hold these once more.
        """
        return cast(Self, cls.model_construct())


class InconsistencyError(ValueError):
    """Keys that are each right contradict each other.

    Args:
        problems: Per contradiction the key, relative to the section that raises, and what is wrong with it.
    """

    def __init__(self, *problems: tuple[Location, str]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, key))}: {message}" for key, message in problems))
        self.problems = problems
