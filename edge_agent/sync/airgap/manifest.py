"""What lies on the stick: the words that gateway and hub share.

```
edge-agent-export-<ULID>/
  manifest.json   manifest.sig     every file with its hash, signed by the gateway
  clips/<2 of it>/<sha256>.flac | .npz      records/<its last 2>/<id>.json      events.ndjson
  receipt.json    receipt.sig      what the hub took, signed by the hub
```

Directories of hundreds of files, for FAT knows no more than some 9,000 such names in one.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from edge_agent.delivery.fields import Count, Id, Label, Sha256, Text, Timestamp, Ulid, WireModel
from edge_agent.sync.errors import SyncError

_Words = TypeVar("_Words", bound=WireModel)

PREFIX = "edge-agent-export-"
MANIFEST, MANIFEST_SIGNATURE = "manifest.json", "manifest.sig"
RECEIPT, RECEIPT_SIGNATURE = "receipt.json", "receipt.sig"
CLIPS, RECORDS, EVENTS = "clips", "records", "events.ndjson"
SUFFIXES = {"audio": ".flac", "log_mel": ".npz"}
MAX_MANIFEST_BYTES = 64 << 20
MAX_FILES = 200_000
MAX_EVENT_BYTES = 256 << 10
MAX_EVENTS_BYTES = 1 << 30

_ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
FilePath = Annotated[
    str,
    StringConstraints(
        pattern=rf"^(clips/[0-9a-f]{{2}}/[0-9a-f]{{64}}\.(flac|npz)|records/[0-9A-Z]{{2}}/{_ULID}\.json|events\.ndjson)$"
    ),
]
"""Where a file may lie: nothing else is looked at, whatever a manifest says."""


class ExportFile(WireModel):
    """One file of an export."""

    path: FilePath
    sha256: Sha256
    size_bytes: Count


class ExportManifest(WireModel):
    """What an export holds.

    Attributes:
        schema_version: Of this file.
        export: ULID of the export.
        site, gateway: Whose it is.
        agent_version: Of the software.
        created: Its clock.
        files: All but the manifest, its signature and the receipt.
    """

    schema_version: Literal[1] = 1
    export: Ulid
    site: Id
    gateway: Id
    agent_version: Label
    created: Timestamp
    files: Annotated[tuple[ExportFile, ...], Field(max_length=MAX_FILES, strict=False)]


class ReceivedClip(WireModel):
    """A clip that the hub has on its disk, and the label that it was told of."""

    id: Ulid
    sha256: Sha256
    label: Label | None = None


class RefusedItem(WireModel):
    """A clip or an event that the hub does not want, and why."""

    id: Label
    why: Text


class ExportReceipt(WireModel):
    """The hub's word for an export.

    Attributes:
        schema_version: Of this file.
        export: Of which export.
        site, gateway: Whose.
        at: The hub's clock.
        clips: What it has.
        events: Ids of the events that it has, or does not want.
        refused: Clips that it does not want.
    """

    schema_version: Literal[1] = 1
    export: Ulid
    site: Id
    gateway: Id
    at: Timestamp
    clips: Annotated[tuple[ReceivedClip, ...], Field(max_length=MAX_FILES, strict=False)] = ()
    events: Annotated[tuple[Ulid, ...], Field(strict=False)] = ()
    refused: Annotated[tuple[RefusedItem, ...], Field(max_length=MAX_FILES, strict=False)] = ()


def parse_words(content: bytes, model: type[_Words], *, name: str) -> _Words:
    """Read a manifest or a receipt as hostile input.

    Raises:
        SyncError: It is none; names the file and the key.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise SyncError(f"{name}: {where}: {first['msg']}; the stick was changed or is of another version") from None


def clip_path(sha256: str, kind: str) -> str:
    """Where a clip's file lies; `kind` is `audio` or `log_mel`."""
    return f"{CLIPS}/{sha256[:2]}/{sha256}{SUFFIXES[kind]}"


def record_path(clip_id: str) -> str:
    """Where a clip's record lies."""
    return f"{RECORDS}/{clip_id[-2:]}/{clip_id}.json"
