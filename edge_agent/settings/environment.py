"""The environment layer: every key has a variable, `EDGE_AGENT__MQTT__PORT` for `mqtt.port`.

Items of lists are numbered from 0 (`EDGE_AGENT__SOURCE__0__RATE_HZ`): an existing number changes that item, the next
free one adds an item. A list or table as a whole may be given as JSON; deeper variables then change it further.
"""

import contextlib
import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from edge_agent.settings.base import Location
from edge_agent.settings.problems import Problem, dotted, unknown_key
from edge_agent.settings.tree import Items, Leaf, Node, node_of

_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class EnvironmentSource(PydanticBaseSettingsSource):
    """Lays the variables of `environ` over the data of a file.

    Attributes:
        origins: Which variable set which key.
        problems: Variables that name no key, or whose text cannot be read.
    """

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str], below: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self.prefix = self.config.get("env_prefix") or ""
        self.delimiter = self.config.get("env_nested_delimiter") or "__"
        self.environ = {name: text for name, text in environ.items() if name.startswith(self.prefix)}
        self.below = below
        self.origins: dict[Location, str] = {}
        self.problems: list[Problem] = []

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The variable of one section as a whole, if there is one."""
        text = self.environ.get(self.prefix + field_name.upper())
        return text, field_name, self.field_is_complex(field)

    def __call__(self) -> dict[str, Any]:
        """The data of the file with the environment laid over it; the file's own data stay as they are."""
        data = deepcopy(self.below)
        # the shorter name first: a whole list, then what changes one item of it
        for name in sorted(self.environ, key=lambda name: (name.count(self.delimiter), _numbered(name))):
            try:
                self._lay(data, name)
            except ValueError as error:
                key, message = error.args if len(error.args) == 2 else ("", str(error))
                self.problems.append(Problem(name, None, key, message))
        return data

    def _lay(self, data: dict[str, Any], name: str) -> None:
        node: Node = node_of(self.settings_cls)
        holder: Any = data
        parts = name.removeprefix(self.prefix).lower().split(self.delimiter.lower())
        place: Location = ()
        steps: list[tuple[str | int, Node]] = []
        for part in parts:
            steps.append(_step(node, part, tuple(key for key, _ in steps)))
            node = steps[-1][1]
        for depth, (key, node) in enumerate(steps):
            place = (*place, key)
            if not isinstance(holder, dict | list) or isinstance(holder, list) != isinstance(key, int):
                raise ValueError(dotted(place), "cannot be set: what stands above it has the wrong type")
            if isinstance(key, int) and isinstance(holder, list):
                if key > len(holder):
                    raise ValueError(dotted(place), f"there is no item {len(holder)} yet; number items without a hole")
                if key == len(holder):
                    holder.append([] if isinstance(node, Items) else {})
            if depth == len(parts) - 1:
                holder[key] = _read(node, self.environ[name], place)
            elif isinstance(holder, dict):
                holder = holder.setdefault(key, [] if isinstance(node, Items) else {})
            else:
                holder = holder[key]
        self.origins[place] = name


def _numbered(name: str) -> list[tuple[int, str]]:
    """Sorts item 10 after item 9."""
    return [(int(part), "") if part.isdecimal() and len(part) < 9 else (-1, part) for part in name.split("__")]


def _step(node: Node, part: str, place: Location) -> tuple[str | int, Node]:
    if isinstance(node, Items):
        if not (part.isascii() and part.isdecimal() and len(part) < 9):
            raise ValueError(dotted((*place, part)), "a list's item is named by its number, from 0")
        return int(part), node.item
    if isinstance(node, Leaf):
        raise ValueError(dotted((*place, part)), f"unknown key; {dotted(place)} is a single value")
    if part not in node.fields:
        raise ValueError(dotted((*place, part)), unknown_key(part, node.fields))
    return part, node_of(node.fields[part].annotation)


def _read(node: Node, text: str, place: Location) -> Any:  # noqa: ANN401 (any value TOML could hold)
    """The text of a variable as TOML would have given the value; what does not fit is left for the model to refuse."""
    if not isinstance(node, Leaf):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(dotted(place), "must be JSON when it is set as a whole") from None
    if node.scalar is bool:
        return _WORDS.get(text.lower(), text)
    if node.scalar in (int, float):
        with contextlib.suppress(ValueError):
            return node.scalar(text)
    return text
