"""Writes the reference pages of events, topics and metrics from the code.

`python -m tools.reference` writes the files, with `--check` it only compares them and exits 1 with a diff.
"""

import dataclasses
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from edge_agent.delivery.events import EventKind, json_schema
from edge_agent.delivery.topics import Topics
from edge_agent.observe.metrics import Metrics
from edge_agent.settings.documents import write_or_compare

_TOPICS = Topics("root", "SITE", "GATEWAY")
_ADDRESSES = {
    EventKind.RESULT: (_TOPICS.machine_result("MACHINE"), "no", "one per window; expires"),
    EventKind.ALARM: (_TOPICS.machine_alarm("MACHINE"), "yes", "a machine's alarm"),
    EventKind.HEALTH: (_TOPICS.machine_health("MACHINE"), "yes", "the machine's health"),
    EventKind.SOURCE_STATE: (_TOPICS.source_state("SOURCE"), "yes", "an input came up, degraded or went down"),
    EventKind.STATUS: (_TOPICS.status, "yes", "birth, goodbye, and the will"),
}
_MORE_ALARMS = (
    (_TOPICS.machine_fault("MACHINE", "FAULT"), "an alarm of the machine's input"),
    (_TOPICS.plant_alarm, "a plant event: most machines rose at once"),
)


def render_events() -> str:
    """Every kind of event: topic, and every field with its type and bounds."""
    out = [
        "# Events on MQTT", "",
        "Generated from the code. Structured CloudEvents 1.0 in JSON, QoS 1. The JSON Schemas are shipped in",
        "`edge_agent/delivery/schemas/`. States of alarms, and commands: [alarms](../alarms.md).", "",
        "| kind | topic | retained | |", "|---|---|---|---|",
    ]  # fmt: skip
    out += [
        f"| [{kind.value}](#{kind.value}) | `{topic}` | {retained} | {note} |"
        for kind, (topic, retained, note) in _ADDRESSES.items()
    ]
    out += [f"| [alarm](#alarm) | `{topic}` | yes | {note} |" for topic, note in _MORE_ALARMS]
    for kind in EventKind:
        schema = json_schema(kind)
        data = schema["properties"]["data"]
        model = schema["$defs"][data["$ref"].rpartition("/")[2]]
        out += ["", f"## {kind.value}", "", f"CloudEvents type `{kind.event_type}`, data by `{kind.schema_uri}`.", ""]
        out += ["| field of `data` | type | always | |", "|---|---|---|---|"]
        out += list(_fields(schema, model, ""))
    return "\n".join([*out, ""])


def _fields(schema: dict[str, Any], model: dict[str, Any], prefix: str) -> Iterator[str]:
    described = _attributes(model.get("description", ""))
    for name, field in model["properties"].items():
        reference, many = _reference(field)
        always = "yes" if name in model.get("required", ()) else ""
        text = described.get(name, field.get("description", "")).replace("|", "\\|").replace("\n", " ")
        path = f"{prefix}{name}{'[]' if many else ''}"
        if reference is None:
            yield f"| `{path}` | {_kind(field)} | {always} | {text} |"
            continue
        yield f"| `{path}` | {'list' if many else 'object'} | {always} | {text} |"
        yield from _fields(schema, schema["$defs"][reference], f"{path}.")


def _reference(field: dict[str, Any]) -> tuple[str | None, bool]:
    for part in (field, *field.get("anyOf", ())):
        if "$ref" in part:
            return part["$ref"].rpartition("/")[2], False
        if "$ref" in part.get("items", {}):
            return part["items"]["$ref"].rpartition("/")[2], True
    return None, False


def _kind(field: dict[str, Any]) -> str:
    parts = [part for part in field.get("anyOf", [field]) if part.get("type") != "null"]
    words = []
    for part in parts:
        if "enum" in part:
            words.append(", ".join(f"`{value}`" for value in part["enum"]))
        elif "const" in part:
            words.append(f"`{part['const']}`")
        elif part.get("type") == "array":
            words.append("list")
        else:
            bounds = [str(part[key]) for key in ("minimum", "maximum") if key in part]
            words.append(" ".join([part.get("format", part.get("type", "any")), " to ".join(bounds)]).strip())
    return " or ".join(words) + (" or null" if len(parts) < len(field.get("anyOf", [field])) else "")


def _attributes(description: str) -> dict[str, str]:
    """The `Attributes:` of a docstring in Google's style."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in description.partition("Attributes:")[2].splitlines():
        stripped = line.strip()
        head, colon, text = stripped.partition(": ")
        if colon and all(part.isidentifier() for part in head.split(", ")):
            names = head.split(", ")
            found.update(dict.fromkeys(names, text))
        elif stripped and names:
            found.update({name: f"{found[name]} {stripped}" for name in names})
    return found


def render_metrics() -> str:
    """Every family of metrics: kind, labels, help."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for name in dir(metrics):
        if name.startswith("watch_"):
            _watch(metrics, name)
    out = [
        "# Metrics", "",
        "Generated from the code. At `/metrics` of the agent, port 9105 of the loopback; OpenMetrics where the scraper",
        "asks for it. Units are base units.", "",
        "| metric | kind | labels | meaning |", "|---|---|---|---|",
    ]  # fmt: skip
    labels = {
        family.name: metric._labelnames
        for metric in registry._collector_to_names
        if isinstance(metric, MetricWrapperBase)
        for family in metric.describe()
    }
    for family in sorted(registry.collect(), key=lambda family: family.name):
        shown = labels.get(family.name)
        if shown is None:
            shown = tuple(family.samples[0].labels) if family.samples else ()
        suffix = "_total" if family.type == "counter" else ""
        words = ", ".join(f"`{label}`" for label in shown)
        out.append(f"| `{family.name}{suffix}` | {family.type} | {words} | {family.documentation} |")
    return "\n".join([*out, ""])


def _watch(metrics: Metrics, name: str) -> None:
    """Call a `watch_...` with empty books, so that its families are there."""
    method = getattr(metrics, name)
    hints = typing.get_type_hints(method)
    arguments: dict[str, Any] = {}
    for argument, hint in hints.items():
        if argument == "return":
            continue
        result = typing.get_args(hint)[1] if typing.get_args(hint) else hint
        value = _blank(result)
        arguments[argument] = (lambda value=value: value) if typing.get_args(hint) else _blank(hint)
    method(**arguments)


def _blank(hint: Any) -> Any:  # noqa: ANN401  # whatever a reading is made of
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        kinds = typing.get_type_hints(hint)
        return hint(**{field.name: _blank(kinds[field.name]) for field in dataclasses.fields(hint)})
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return (_blank(parts[0]),) if parts[-1] is Ellipsis else tuple(map(_blank, parts))
    if parts and type(None) in parts:
        return None
    if parts:  # an iterable of readings
        return [_blank(parts[0])]
    return Path() if hint is Path else hint(0)


def documents() -> dict[str, str]:
    """Every generated file, by its path in the repository."""
    return {"docs/reference/events.md": render_events(), "docs/reference/metrics.md": render_metrics()}


if __name__ == "__main__":
    sys.exit(write_or_compare(documents(), (__doc__ or "").splitlines()[0]))
