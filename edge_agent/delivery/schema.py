"""Writes the shipped JSON Schemas: `python -m edge_agent.delivery.schema`."""

from __future__ import annotations

import json
from pathlib import Path

from edge_agent.delivery.events import EventKind, json_schema

SCHEMA_DIRECTORY = Path(__file__).parent / "schemas"
"""Where the schemas lie in the installed package."""


def schema_text(kind: EventKind) -> str:
    """The content of one schema file."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def write_schemas(directory: Path = SCHEMA_DIRECTORY) -> list[Path]:
    """Write every kind's schema and return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind in EventKind:
        path = directory / f"{kind.value}.json"
        path.write_text(schema_text(kind), encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    for written in write_schemas():
        print(written)
