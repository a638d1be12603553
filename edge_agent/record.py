"""What lies in a file of the agent, as it is read and written."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Frozen, with nothing unknown in it, and no number that is none.

    Strings that are read once need no cache, for which pydantic takes a quarter of a megabyte.
    """

    model_config = ConfigDict(cache_strings="none", defer_build=True, extra="forbid", frozen=True, allow_inf_nan=False)


class StrictRecord(Record):
    """A record whose values are of their types already: no text where a number belongs."""

    model_config = ConfigDict(strict=True)
