"""The way to the hub: whom it trusts, whom it shows itself as, and answers that no hub would give."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from edge_agent.sync.client import HubAddress, HubClient
from edge_agent.sync.errors import HubError, ItemRefusedError, SyncError, Trouble
from edge_agent.sync.wire import ClipReceipt, ClipRecord
from tests.clips.samples import ids, sidecar
from tests.support.certificates import make_certificates, needs_openssl
from tests.support.contract_hub import KEY, ContractHub


@contextmanager
def _client(hub: ContractHub, **changes: object) -> Iterator[HubClient]:
    values: dict[str, object] = {"url": hub.url, "key": SecretStr(KEY), **changes}
    client = HubClient(HubAddress(**values))  # type: ignore[arg-type]  # tables of changes are untyped
    yield client
    client.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def _tls_hub(certificates: Path, name: str = "broker", *, ask: bool = False) -> ContractHub:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    if ask:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates / "ca.crt")
    return ContractHub(tls=context)


@needs_openssl
def test_a_hub_of_the_right_authority_is_trusted(certificates: Path) -> None:
    with _tls_hub(certificates) as hub, _client(hub, ca_file=certificates / "ca.crt") as client:
        assert client.missing_clips(["a" * 64]) == {"a" * 64}


@needs_openssl
@pytest.mark.parametrize(("name", "authority"), [("broker", "other"), ("broker_expired", "ca")])
def test_another_or_an_expired_certificate_is_not(certificates: Path, name: str, authority: str) -> None:
    ca_file = certificates / f"{authority}.crt"
    with (
        _tls_hub(certificates, name) as hub,
        _client(hub, ca_file=ca_file) as client,
        pytest.raises(HubError, match="ca_file") as caught,
    ):
        client.missing_clips(())
    assert caught.value.trouble is Trouble.UNTRUSTED
    assert hub.requests.total() == 0, "the key was not shown"


@needs_openssl
def test_the_gateway_shows_its_own_certificate(certificates: Path) -> None:
    ca_file = certificates / "ca.crt"
    with _tls_hub(certificates, ask=True) as hub:
        shown = {"cert_file": certificates / "gw.crt", "key_file": certificates / "gw.key"}
        with _client(hub, ca_file=ca_file, **shown) as client:
            assert client.missing_clips(()) == frozenset()
        with _client(hub, ca_file=ca_file) as client, pytest.raises(HubError):
            client.missing_clips(())


@needs_openssl
def test_a_certificate_without_its_key_is_said(certificates: Path) -> None:
    address = HubAddress(url="https://hub", cert_file=certificates / "gw.crt", key_file=certificates / "stranger.key")
    with pytest.raises(SyncError, match=r"hub\.tls"):
        HubClient(address)


ODD = {
    "no JSON": (200, {}, b"<html>", Trouble.MISUNDERSTOOD),
    "other JSON": (200, {}, b'{"sha256": 5}', Trouble.MISUNDERSTOOD),
    "more than anybody needs": (200, {}, b" " * (5 << 20), Trouble.MISUNDERSTOOD),
    "a way elsewhere": (302, {"Location": "http://127.0.0.1:1/"}, b"", Trouble.MISUNDERSTOOD),
    "no such page": (404, {}, b"", Trouble.MISUNDERSTOOD),
    "a failure": (502, {}, b"<html>\x00\x1b[31m</html>", Trouble.AWAY),
    "please wait": (503, {"Retry-After": "7"}, b"", Trouble.BUSY),
    "who are you": (403, {}, b'{"detail": "disabled"}', Trouble.DENIED),
}


@pytest.mark.parametrize(("status", "headers", "body", "trouble"), ODD.values(), ids=ODD)
def test_an_odd_answer_is_no_defect(status: int, headers: dict[str, str], body: bytes, trouble: Trouble) -> None:
    with ContractHub() as hub, _client(hub) as client:
        hub.answer_with = lambda _method, _path: (status, headers, body)
        with pytest.raises(HubError) as caught:
            client.missing_clips(["a" * 64])
    assert caught.value.trouble is trouble
    assert "\x1b" not in str(caught.value) and KEY not in str(caught.value)
    assert caught.value.retry_after_s == (7.0 if "Retry-After" in headers else None)


def test_a_receipt_for_another_clip_is_none() -> None:
    mine, other = (sidecar(clip_id, sha256=4 * "0123456789abcdef") for clip_id, _ in zip(ids(), range(2), strict=False))
    receipt = ClipReceipt(id=other.id, sha256=other.sha256, repeated=False)
    with ContractHub() as hub, _client(hub) as client:
        hub.answer_with = lambda _method, _path: (200, {}, receipt.model_dump_json().encode())
        with pytest.raises(HubError, match="answers for clip"):
            client.put_record(ClipRecord(sidecar=mine, agent_version="1"))


def test_a_refusal_of_one_clip_is_that_clips() -> None:
    with ContractHub() as hub, _client(hub) as client:
        with pytest.raises(ItemRefusedError, match="409: no such file"):
            client.put_record(ClipRecord(sidecar=sidecar(next(ids())), agent_version="1"))
