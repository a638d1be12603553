"""Writes the shipped JSON Schemas: `python -m edge_agent.delivery.schema`."""

from __future__ import annotations

import json
from pathlib import Path

from edge_agent.delivery.commands import Verb, command_schema, reply_schema
from edge_agent.delivery.events import EventKind, json_schema

SCHEMA_DIRECTORY = Path(__file__).parent / "schemas"
"""Where the schemas lie in the installed package."""


def schemas() -> dict[str, str]:
    """The content of every schema file, by its name without `.json`."""
    found = {kind.value: json_schema(kind) for kind in EventKind}
    found |= {f"command_{verb.value}": command_schema(verb) for verb in Verb}
    found["command_reply"] = reply_schema()
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in found.items()}


def write_schemas(directory: Path = SCHEMA_DIRECTORY) -> list[Path]:
    """Write every schema and return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in schemas().items():
        path = directory / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    for written in write_schemas():
        print(written)
