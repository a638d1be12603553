"""Documents derived from settings: the commented example, the reference page, the JSON schema; written or compared."""

import argparse
import difflib
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python
from pydantic_settings import BaseSettings

from edge_agent.settings.secret import SecretFile
from edge_agent.settings.tree import Items, Leaf, Node, Table, choices_of, node_of

_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    SecretFile: "path",
}


@dataclass(frozen=True)
class Key:
    """One key as the documents show it."""

    name: str
    node: Node
    field: FieldInfo
    variable: str

    @property
    def facts(self) -> str:
        """Type or choices, and bounds."""
        item = self.node.item if isinstance(self.node, Items) else self.node
        scalar = item.scalar if isinstance(item, Leaf) else None
        choices = choices_of(item) if isinstance(item, Leaf) else ()
        text = " | ".join(map(_toml, choices)) if choices else _NAMES.get(scalar, "text")
        bounds = {
            name: getattr(part, name) for part in self.field.metadata for name in ("ge", "le") if hasattr(part, name)
        }
        if bounds and isinstance(self.node, Leaf):
            text += f", {bounds['ge']} to {bounds['le']}"
        return f"list of {text}" if isinstance(self.node, Items) else text

    @property
    def default(self) -> str | None:
        """The default as TOML; None where there is none."""
        value = self.field.default
        return None if value is None or value is PydanticUndefined else _toml(value)

    @property
    def sample(self) -> str:
        """The default, or an example where there is none."""
        return self.default or _toml((self.field.examples or ["..."])[0])


def _toml(value: Any) -> str:  # noqa: ANN401 (any default)
    return json.dumps(to_jsonable_python(value))


def _keys(table: Table, prefix: str) -> Iterator[Key]:
    for name, field in table.fields.items():
        yield Key(name, node_of(field.annotation), field, f"{prefix}{name.upper()}")


def _is_table(node: Node) -> bool:
    return isinstance(node, Table) or (isinstance(node, Items) and isinstance(node.item, Table))


def _tables(table: Table, path: str, variable: str, example_kind: str) -> Iterator[tuple[str, str, str, Table]]:
    """Every table below: header, variable prefix, description, table; a union once per kind, the example's last."""
    for key in _keys(table, variable):
        inner = key.node.item if isinstance(key.node, Items) else key.node
        if not isinstance(inner, Table):
            continue
        name, prefix = f"{path}{key.name}", f"{key.variable}__"
        header = f"[[{name}]]" if isinstance(key.node, Items) else f"[{name}]"
        prefix += "0__" if isinstance(key.node, Items) else ""
        if inner.kinds:
            for kind, model in sorted(
                zip(inner.kinds, inner.models, strict=True), key=lambda item: item[0] == example_kind
            ):
                described = f"{key.field.description} Kind {kind}: {(model.__doc__ or '').splitlines()[0]}"
                yield header, prefix, described, Table((model,))
            inner = Table((inner.models[-1],))
        else:
            yield header, prefix, key.field.description or "", inner
        yield from _tables(inner, f"{name}.", prefix, example_kind)


def render_toml(
    settings_cls: type[BaseSettings], *, head: str, example_kind: str = "", optional: tuple[str, ...] = ()
) -> str:
    """The commented example file.

    Args:
        settings_cls: The settings.
        head: Comment at the top.
        example_kind: Of a table that comes in kinds, the one that is not commented out.
        optional: Names of tables that are commented out, with all below them.
    """
    out = [head]
    for header, prefix, description, table in _all_tables(settings_cls, example_kind):
        kind = table.fields["kind"].examples if "kind" in table.fields else None
        name = header.strip("[]")
        left_out = any(name == table_name or name.startswith(f"{table_name}.") for table_name in optional)
        live = "#" if left_out or (kind and kind[0] != example_kind) else ""
        out += [f"# {line}" for line in textwrap.wrap(description, 110)]
        out.append(f"{live}{header}")
        for key in _keys(table, prefix):
            if _is_table(key.node):
                continue
            out += [
                f"# {line}" for line in textwrap.wrap(f"{key.field.description} {key.facts}. [{key.variable}]", 110)
            ]
            required = key.field.is_required()
            out.append(f"{'' if required and not live else '#'}{key.name} = {key.sample}")
        out.append("")
    return "\n".join(out)


def render_reference(settings_cls: type[BaseSettings], *, title: str, example: str, example_kind: str = "") -> str:
    """The reference page, in Markdown.

    Args:
        settings_cls: The settings.
        title: Of the page.
        example: Path of the commented example.
        example_kind: As for `render_toml`.
    """
    out = [f"# {title}", ""]
    out += [f"Generated from the settings; `{example}` is the commented example.", ""]
    out += ["A list's item is numbered from 0 in its variable.", ""]
    for header, prefix, description, table in _all_tables(settings_cls, example_kind):
        out += [
            f"## `{header}`",
            "",
            description,
            "",
            "| key | value | default | meaning | variable |",
            "|---|---|---|---|---|",
        ]
        for key in _keys(table, prefix):
            if not _is_table(key.node):
                default = "required" if key.field.is_required() else f"`{key.default}`" if key.default else "unset"
                facts = key.facts.replace("|", "\\|")
                out.append(f"| `{key.name}` | {facts} | {default} | {key.field.description} | `{key.variable}` |")
        out.append("")
    return "\n".join(out)


def render_schema(settings_cls: type[BaseSettings]) -> str:
    """The JSON schema, for editors."""
    return json.dumps(settings_cls.model_json_schema(), indent=2) + "\n"


def write_or_compare(documents: Mapping[str, str], description: str, arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` compare them and print a diff.

    Args:
        documents: Content by path in the repository.
        description: Of the command, for its help.
        arguments: Of the command line; None: those of this process.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 with a diff")
    parser.add_argument("--root", type=Path, default=Path(), help="root of the repository")
    options = parser.parse_args(arguments)
    stale = False
    for name, content in documents.items():
        path: Path = options.root / name
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            continue
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        diff = list(difflib.unified_diff(kept.splitlines(True), content.splitlines(True), f"{name} (kept)", name))
        sys.stdout.writelines(diff)
        stale |= bool(diff)
    return int(stale)


def _all_tables(settings_cls: type[BaseSettings], example_kind: str) -> Iterator[tuple[str, str, str, Table]]:
    root = node_of(settings_cls)
    assert isinstance(root, Table)
    return _tables(root, "", settings_cls.model_config.get("env_prefix") or "", example_kind)
