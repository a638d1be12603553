"""What is wrong with a configuration: one line each, with the place, the value and the mend."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from edge_agent.settings.base import ID_PATTERN, InconsistencyError, Location
from edge_agent.settings.tree import Items, Node, Table, node_of

_TYPES = {
    "bool_type": "true or false", "bool_parsing": "true or false",
    "int_type": "a whole number", "int_parsing": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number", "finite_number": "a finite number",
    "string_type": "text in quotes", "path_type": "a path, as text in quotes",
    "tuple_type": "a list", "model_type": "a table", "model_attributes_type": "a table",
}  # fmt: skip
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"), "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"), "less_than": ("below", "lt"),
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One thing wrong.

    Attributes:
        origin: The file, or the environment variable, that says it.
        line: Line of the file, from 1; None for the environment and for what concerns the whole file.
        key: The key, as `mqtt.port` or `source[0].rate_hz`; empty where the text as a whole is meant.
        message: What is wrong and how to mend it.
    """

    origin: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.origin if self.line is None else f"{self.origin}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(Exception):
    """The configuration cannot be used; `problems` says why, one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def dotted(location: Location) -> str:
    """A location as it is written for people.

    >>> dotted(("source", 0, "rate_hz"))
    'source[0].rate_hz'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def unknown_key(name: str, known: Iterable[str]) -> str:
    """The message for a key that does not exist, with the nearest one that does."""
    names = list(known)
    near = _nearest(name, names, cutoff=0.5)
    return "unknown key; " + (f"did you mean {near!r}?" if near else f"known here: {', '.join(names)}")


def explain(error: ErrorDetails, root: type[BaseModel]) -> list[tuple[Location, str]]:
    """One error of pydantic in the settings' own words: where, and what."""
    location, table = _strip_kinds(error["loc"], node_of(root))
    context: dict[str, Any] = error.get("ctx", {})
    kind, value = error["type"], _shown(error["input"])
    cause = context.get("error")
    if isinstance(cause, InconsistencyError):
        return [((*location, *inner), message) for inner, message in cause.problems]
    if kind == "extra_forbidden":
        message = unknown_key(str(location[-1]), table.fields if table else ())
    elif kind == "missing":
        field = table.fields.get(str(location[-1])) if table else None
        message = f"missing; it says: {field.description if field else ''}"
    elif kind == "union_tag_not_found":
        return [((*location, "kind"), f"missing; one of {', '.join(map(repr, _kinds(error['loc'], root)))}")]
    elif kind in ("union_tag_invalid", "literal_error"):
        choices = str(context.get("expected_tags") or context.get("expected"))
        if kind == "union_tag_invalid":
            location, value = (*location, "kind"), repr(context["tag"])
        near = _nearest(value.strip("'"), [part.strip("' ") for part in choices.split(",")], cutoff=0.6)
        message = f"must be one of {choices}, not {value}" + (f"; did you mean {near!r}?" if near else "")
    elif kind in _TYPES:
        message = f"must be {_TYPES[kind]}, not {value}"
    elif kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        message = f"must be {words} {context[name]}, not {value}"
    elif kind == "string_pattern_mismatch" and context.get("pattern") == ID_PATTERN:
        message = f"must be 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit, not {value}"
    elif kind == "string_pattern_mismatch":
        message = f"must match {context['pattern']}, not {value}"
    elif cause is not None:
        message = f"{cause}, not {value}"
    else:
        message = f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {value}"
    return [(location, message)]


def _nearest(name: str, names: list[str], *, cutoff: float) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415  only once something is wrong

    return next(iter(get_close_matches(name, names, n=1, cutoff=cutoff)), None)


def _strip_kinds(location: Location, node: Node) -> tuple[Location, Table | None]:
    """The location without the `kind` that pydantic inserts for a union, and the table that holds its last key."""
    plain: list[str | int] = []
    table: Table | None = None
    choosing = False
    for part in location:
        if choosing and isinstance(node, Table) and part in node.kinds:
            node, choosing = Table((node.models[node.kinds.index(str(part))],)), False
            continue
        plain.append(part)
        if isinstance(node, Table):
            table = node
            field = node.fields.get(str(part))
            if field is None:
                break
            node = node_of(field.annotation)
        elif isinstance(node, Items):
            node = node.item
        choosing = isinstance(node, Table) and bool(node.kinds)
    return tuple(plain), table


def _kinds(location: Location, root: type[BaseModel]) -> tuple[str, ...]:
    node: Node = node_of(root)
    for part in location:
        node = node.item if isinstance(node, Items) else node_of(node.fields[str(part)].annotation)  # type: ignore[union-attr] # a union is never below a leaf
    return node.kinds if isinstance(node, Table) else ()


def _shown(value: object) -> str:
    """The value for a message: short, and as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) >= 10**20:
        return "an absurdly large number"
    text = repr(value) if isinstance(value, str | int | float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
