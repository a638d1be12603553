"""A hub that keeps the contract of `edge_agent.sync.wire` and nothing else: for tests of the gateway's side."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from edge_agent.sync.wire import (
    ClipReceipt,
    ClipRecord,
    EventBatch,
    EventIds,
    EventReceipt,
    GatewayReport,
    Hashes,
    Instructions,
    RefusedEvent,
)

KEY = "test-key-of-the-gateway"
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Kept:
    """What the hub has on its disk, which outlives its process."""

    files: dict[str, bytes] = field(default_factory=dict)
    records: dict[str, ClipRecord] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    reports: list[GatewayReport] = field(default_factory=list)


class ContractHub:
    """Answers on a free port of the loopback; may fail on demand.

    Args:
        kept: What it has; a new one goes on with what an earlier one had.
        port: Where to answer; 0: anywhere.
        tls: Encryption; None: plain HTTP.
    """

    def __init__(self, kept: Kept | None = None, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.kept = kept or Kept()
        self.instructions = Instructions(report_after_s=60.0)
        self.requests: Counter[str] = Counter()
        self.answer_with: Callable[[str, str], Answer | None] = lambda _method, _path: None
        """Answers in the hub's place, before it does anything; None: let it."""
        self.lock = threading.Lock()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one segment
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                if len(body) < length:
                    self.close_connection = True
                    return  # cut off: nothing of it was there
                path = self.path.removeprefix("/api/v1")
                status, headers, answer = hub._handle(self.command, path, body, dict(self.headers))
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            do_GET = do_PUT = do_POST = _serve  # noqa: N815  # the library's names

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def section(self, directory: Path, extra: str = "") -> str:
        """TOML of an agent that sends here; its key lies in a file of the directory."""
        key = directory / "hub_key"
        key.write_text(KEY)
        key.chmod(0o600)
        return f'[hub]\nenabled = true\nurl = "{self.url}"\nkey_file = "{key}"\n{extra}\n'

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handle(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        with self.lock:
            name = re.sub(r"[0-9a-f]{64}|[0-7][0-9A-HJKMNP-TV-Z]{25}", "*", path)
            self.requests[f"{method} {name}"] += 1
            if (instead := self.answer_with(method, path)) is not None:
                return instead
            if headers.get("Authorization") != f"Bearer {KEY}":
                return 401, {}, b'{"detail": "no such key"}'
            return self._do(method, path, body, headers)

    def _do(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:  # noqa: PLR0911  # one return a request
        kept = self.kept
        match method, path.strip("/").split("/"):
            case "POST", ["clips", "missing"]:
                asked = Hashes.model_validate_json(body).sha256
                return _json(Hashes(sha256=tuple(each for each in asked if each not in kept.files)))
            case "PUT", ["clips", sha256]:
                assert headers.get("If-None-Match") == "*"
                if hashlib.sha256(body).hexdigest() != sha256:
                    return 422, {}, b'{"detail": "another hash"}'
                new = sha256 not in kept.files
                kept.files[sha256] = body
                return (201 if new else 200), {}, b""
            case "PUT", ["clips", sha256, "records", clip_id]:
                record = ClipRecord.model_validate_json(body)
                if sha256 not in kept.files or record.sidecar.sha256 != sha256 or record.sidecar.id != clip_id:
                    return 409, {}, b'{"detail": "no such file"}'
                repeated = clip_id in kept.records
                kept.records[clip_id] = record
                return _json(ClipReceipt(id=clip_id, sha256=sha256, repeated=repeated), 200 if repeated else 201)
            case "POST", ["events", "missing"]:
                ids = EventIds.model_validate_json(body).ids
                return _json(EventIds(ids=tuple(each for each in ids if each not in kept.events)))
            case "POST", ["events"]:
                return _json(self._take(EventBatch.model_validate_json(body)))
            case "POST", ["gateway", "report"]:
                kept.reports.append(GatewayReport.model_validate_json(body))
                return _json(self.instructions)
        return 404, {}, b'{"detail": "no such thing"}'

    def _take(self, batch: EventBatch) -> EventReceipt:
        repeated = sum(event["id"] in self.kept.events for event in batch.events)
        refused = tuple(RefusedEvent(id=event["id"], why="no data") for event in batch.events if "data" not in event)
        self.kept.events |= {event["id"]: event for event in batch.events if "data" in event}
        return EventReceipt(accepted=len(batch.events) - repeated - len(refused), repeated=repeated, refused=refused)


def _json(model: Any, status: int = 200) -> Answer:  # noqa: ANN401  # any model of the wire
    return status, {"Content-Type": "application/json"}, json.dumps(model.model_dump(mode="json")).encode()
