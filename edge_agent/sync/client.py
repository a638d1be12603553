"""Speaks to the hub: one method for each request of `wire`, and what its answers mean."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

import edge_agent
from edge_agent.sync.errors import HubError, ItemRefusedError, SyncError, Trouble
from edge_agent.sync.wire import (
    API_PREFIX,
    ClipReceipt,
    ClipRecord,
    EventIds,
    EventReceipt,
    GatewayReport,
    Hashes,
    Instructions,
)

_Answer = TypeVar("_Answer", bound=BaseModel)

CHUNK_BYTES = 16 << 10
_MAX_ANSWER_BYTES = 4 << 20
_MAX_RETRY_AFTER_S = 3600.0
_REFUSALS = (400, 403, 404, 409, 410, 412, 413, 415, 422)
"""Of these one clip or batch is the cause, not the hub."""

Throttle = Callable[[int], None]
"""Told of bytes before they go; waits, or raises `StoppedError`."""


@dataclass(frozen=True, slots=True)
class HubAddress:
    """Where the hub is and who asks.

    Attributes:
        url: Its root, without the API's prefix.
        key: The gateway's key; None where it shows a certificate.
        ca_file, cert_file, key_file: Encryption, see `[hub.tls]`.
        connect_timeout_s, answer_timeout_s: How long to wait.
    """

    url: str
    key: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 60.0


class HubClient:
    """One gateway's way to its hub. For one thread.

    Args:
        address: Where and who.
        throttle: Told of the bytes of files and batches before they go.
        transport: What carries the requests; None: the network.

    Raises:
        SyncError: A certificate cannot be used.
    """

    def __init__(
        self,
        address: HubAddress,
        *,
        throttle: Throttle = lambda _: None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._throttle = throttle
        headers = {"User-Agent": f"edge-agent/{edge_agent.__version__}", "Accept": "application/json"}
        if address.key is not None:
            headers["Authorization"] = f"Bearer {address.key.get_secret_value()}"
        self._url = address.url.rstrip("/")
        self._http = httpx.Client(
            base_url=f"{self._url}{API_PREFIX}",
            headers=headers,
            verify=tls_context(address) if address.url.startswith("https:") else True,
            timeout=httpx.Timeout(address.answer_timeout_s, connect=address.connect_timeout_s),
            transport=transport,
        )

    def missing_clips(self, hashes: Iterable[str]) -> frozenset[str]:
        """Which of these files the hub has not got."""
        return frozenset(self._post("/clips/missing", Hashes(sha256=tuple(hashes)), Hashes).sha256)

    def put_file(self, sha256: str, path: Path, media_type: str) -> bool:
        """Send a clip's file, by its hash; whether it is new there.

        Raises:
            HubError: Not now.
            ItemRefusedError: Not ever.
            OSError: The file cannot be read.
        """
        with path.open("rb") as file:
            size = path.stat().st_size
            headers = {"If-None-Match": "*", "Content-Type": media_type, "Content-Length": str(size)}
            chunks = iter(lambda: file.read(CHUNK_BYTES), b"")
            status, _ = self._ask(
                "PUT", f"/clips/{sha256}", self._throttled(chunks), headers, fine=(200, 201, 204, 412)
            )
        return status == 201

    def put_record(self, record: ClipRecord) -> ClipReceipt:
        """Say what is known of a clip whose file the hub has; its receipt is the hub's word that it has both."""
        sidecar = record.sidecar
        content = record.model_dump_json(exclude_none=True).encode()
        _, answer = self._ask("PUT", f"/clips/{sidecar.sha256}/records/{sidecar.id}", content, _JSON)
        receipt = self._parsed(answer, ClipReceipt)
        if (receipt.id, receipt.sha256) != (sidecar.id, sidecar.sha256):
            raise HubError(Trouble.MISUNDERSTOOD, f"{self._url} answers for clip {receipt.id} when told {sidecar.id}")
        return receipt

    def missing_events(self, ids: Iterable[str]) -> frozenset[str]:
        """Which of these events the hub has not got."""
        return frozenset(self._post("/events/missing", EventIds(ids=tuple(ids)), EventIds).ids)

    def send_events(self, events: Iterable[bytes]) -> EventReceipt:
        """Send events as they are, CloudEvents in JSON; at most `MAX_EVENTS` and `MAX_BATCH_BYTES`."""
        content = b'{"events":[' + b",".join(events) + b"]}"
        chunks = (content[start : start + CHUNK_BYTES] for start in range(0, len(content), CHUNK_BYTES))
        headers = {**_JSON, "Content-Length": str(len(content))}
        return self._parsed(self._ask_all("/events", self._throttled(chunks), headers), EventReceipt)

    def report(self, report: GatewayReport) -> Instructions:
        """Say how the gateway fares, hear what it is to do."""
        return self._post("/gateway/report", report, Instructions)

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def _throttled(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._throttle(len(chunk))
            yield chunk

    def _post(self, path: str, body: BaseModel, answer: type[_Answer]) -> _Answer:
        return self._parsed(self._ask_all(path, body.model_dump_json().encode(), _JSON), answer)

    def _ask_all(self, path: str, content: bytes | Iterator[bytes], headers: dict[str, str]) -> bytes:
        """A question in which no single item can be to blame."""
        try:
            return self._ask("POST", path, content, headers)[1]
        except ItemRefusedError as error:
            raise HubError(
                Trouble.MISUNDERSTOOD,
                f"{self._url} refuses {path} ({error}); is hub.url the hub's, and do both versions fit?",
            ) from error

    def _parsed(self, content: bytes, model: type[_Answer]) -> _Answer:
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            raise HubError(
                Trouble.MISUNDERSTOOD,
                f"{self._url} answers with what is no {model.__name__} ({error.error_count()} flaws); "
                "are agent and hub of versions that fit?",
            ) from None

    def _ask(
        self,
        method: str,
        path: str,
        content: bytes | Iterator[bytes],
        headers: dict[str, str],
        *,
        fine: tuple[int, ...] = (200, 201),
    ) -> tuple[int, bytes]:
        """One request; status and body of a good answer.

        Raises:
            HubError: Not now.
            ItemRefusedError: Not ever.
        """
        try:
            with self._http.stream(method, path, content=content, headers=headers) as response:
                answer = _bounded(response)
        except httpx.ConnectError as error:
            if _is_untrusted(error):
                raise HubError(
                    Trouble.UNTRUSTED, f"the certificate of {self._url} is not trusted ({error}); set hub.tls.ca_file"
                ) from error
            raise HubError(Trouble.AWAY, f"{self._url} cannot be reached: {error}") from error
        except httpx.HTTPError as error:
            raise HubError(Trouble.AWAY, f"{self._url}: {error or type(error).__name__}") from error
        if response.status_code in fine:
            return response.status_code, answer
        raise self._meaning(response, answer, of_item=method == "PUT")

    def _meaning(self, response: httpx.Response, answer: bytes, *, of_item: bool) -> SyncError:
        status, said = response.status_code, _said(answer)
        if status == 401 or (status == 403 and not of_item):
            return HubError(
                Trouble.DENIED, f"{self._url} does not let this gateway in ({status}{said}); check hub.key_file"
            )
        if status in (429, 503):
            wait_s = retry_after_s(response.headers.get("Retry-After", ""), now_s=time.time())
            return HubError(Trouble.BUSY, f"{self._url} asks to wait ({status}{said})", retry_after_s=wait_s)
        if status in _REFUSALS:
            return ItemRefusedError(status, f"{status}{said}")
        if status >= 500 or status == 408:
            return HubError(Trouble.AWAY, f"{self._url} failed ({status}{said})")
        return HubError(Trouble.MISUNDERSTOOD, f"{self._url} answers {status}{said}; is hub.url the hub's?")


_JSON = {"Content-Type": "application/json"}


def retry_after_s(value: str, *, now_s: float) -> float | None:
    """What `Retry-After` asks for, seconds from now, at most an hour; None where it says nothing that can be read.

    >>> retry_after_s("12", now_s=0.0), retry_after_s("soon", now_s=0.0)
    (12.0, None)
    >>> retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", now_s=50.0)
    10.0
    """
    if re.fullmatch(r"\d{1,9}", value):
        return min(float(value), _MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return min(max(0.0, moment.timestamp() - now_s), _MAX_RETRY_AFTER_S)


def tls_context(address: HubAddress) -> ssl.SSLContext:
    """Encryption as the address says.

    Raises:
        SyncError: A certificate cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=address.ca_file)
        if address.cert_file is not None:
            # an empty passphrase: never ask for one on the terminal
            context.load_cert_chain(address.cert_file, address.key_file, password="")
    except OSError as error:
        raise SyncError(f"hub.tls: {error.strerror or error}; check ca_file, cert_file and key_file") from error
    return context


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _bounded(response: httpx.Response) -> bytes:
    content = b""
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > _MAX_ANSWER_BYTES:
            raise HubError(
                Trouble.MISUNDERSTOOD, f"{response.url.host} answers with more than {_MAX_ANSWER_BYTES} bytes"
            )
    return content


def _said(answer: bytes) -> str:
    """What the hub gave as the reason, in one short line."""
    match = re.search(rb'"(?:detail|why|message|error)"\s*:\s*"((?:[^"\\]|\\.){1,300})', answer)
    text = (match.group(1) if match else answer[:200]).decode("utf-8", "replace")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f": {text}" if text else ""
