"""What a gateway believes of its hub: real repositories, real keys, real HTTP, and every way to spoil them."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import DownloadError, SlowRetrievalError

from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.fetcher import HubFetcher, Pace
from edge_agent.sync.updates.trusted import TrustedRepository
from tests.support.update_hub import UpdateHub, custom_for
from training_hub.rollout import signing
from training_hub.rollout.repository import Lives

ARCHIVE = b"an archive" * 1000


@dataclass
class Gateway:
    """One gateway's trust in one hub."""

    directory: Path
    root: bytes
    url: str
    client: httpx.Client

    def open(self, pace: Pace | None = None) -> TrustedRepository:
        return TrustedRepository(self.directory / "tuf", self.root, self.url, HubFetcher(self.client, pace))

    def fetch(self, path: str) -> bytes:
        """Find and download a target, as one update does."""
        repository = self.open()
        into = self.directory / "archive.tar"
        repository.download(repository.find(path), into)
        return into.read_bytes()


@pytest.fixture
def hub(tmp_path: Path) -> UpdateHub:
    return UpdateHub(tmp_path / "hub")


@pytest.fixture
def gateway(hub: UpdateHub, tmp_path: Path) -> Iterator[Gateway]:
    with hub.serve() as url, httpx.Client(timeout=10) as client:
        yield Gateway(tmp_path / "gateway", hub.root, url, client)


def test_an_approved_bundle_arrives_whole(hub: UpdateHub, gateway: Gateway) -> None:
    path = hub.approve(ARCHIVE, custom_for())
    assert gateway.open().find(path).custom == custom_for()
    assert gateway.fetch(path) == ARCHIVE


def test_what_is_there_already_is_not_fetched_again(hub: UpdateHub, gateway: Gateway) -> None:
    path = hub.approve(ARCHIVE, custom_for())
    gateway.fetch(path)
    gateway.fetch(path)
    assert sum(asked.startswith("/targets/") for asked in hub.asked) == 1


@pytest.mark.parametrize(
    ("what", "spoilt", "said"),
    [
        ("targets", lambda content: b"X" + content[1:], "LengthOrHashMismatchError"),
        ("targets", lambda content: content + b"more", "DownloadLengthMismatchError"),
        ("targets", lambda content: content[:-1], "LengthOrHashMismatchError"),
        ("targets", lambda content: content * 10_000, "DownloadLengthMismatchError"),
    ],
    ids=["tampered", "too long", "too short", "endless"],
)
def test_a_spoilt_archive_is_refused(
    hub: UpdateHub, gateway: Gateway, what: str, spoilt: Callable[[bytes], bytes], said: str
) -> None:
    path = hub.approve(ARCHIVE, custom_for())
    hub.spoil = lambda asked, content: spoilt(content) if asked.startswith(f"/{what}/") else content
    with pytest.raises(UpdateError, match=said):
        gateway.fetch(path)
    assert not (gateway.directory / "archive.tar").exists()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_tampered_metadata_is_refused(hub: UpdateHub, gateway: Gateway, role: str) -> None:
    path = hub.approve(ARCHIVE, custom_for())

    def spoil(asked: str, content: bytes) -> bytes:
        if not asked.endswith(f"{role}.json"):
            return content
        told = json.loads(content)
        told["signed"]["expires"] = "2099-01-01T00:00:00Z"
        return json.dumps(told).encode()

    hub.spoil = spoil
    with pytest.raises(UpdateError, match="refused"):
        gateway.fetch(path)


def test_endless_metadata_is_refused(hub: UpdateHub, gateway: Gateway) -> None:
    path = hub.approve(ARCHIVE, custom_for())
    hub.spoil = lambda asked, content: content + b" " * (8 << 20)
    with pytest.raises(UpdateError, match="DownloadLengthMismatch"):
        gateway.fetch(path)


def test_the_keys_of_another_hub_are_refused(hub: UpdateHub, gateway: Gateway, tmp_path: Path) -> None:
    other = UpdateHub(tmp_path / "other")
    path = other.approve(ARCHIVE, custom_for())
    with other.serve() as url:
        gateway.url = url
        with pytest.raises(UpdateError, match="UnsignedMetadataError"):
            gateway.fetch(path)


def test_an_older_state_is_refused_once_a_newer_was_seen(hub: UpdateHub, gateway: Gateway) -> None:
    """Rollback: the hub's own, once valid files of yesterday."""
    old = {"timestamp.json": hub.repository.metadata("timestamp.json")}
    path = hub.approve(ARCHIVE, custom_for())
    gateway.fetch(path)
    hub.spoil = lambda asked, content: old.get(asked.rpartition("/")[2]) or content
    with pytest.raises(UpdateError, match="BadVersionNumberError"):
        gateway.fetch(path)


def test_a_frozen_timestamp_is_refused(tmp_path: Path) -> None:
    hub = UpdateHub(tmp_path / "hub", Lives(timestamp=timedelta(seconds=1)), now=datetime.now(UTC) - timedelta(days=2))
    path = hub.approve(ARCHIVE, custom_for())
    with hub.serve() as url, httpx.Client() as client:
        gateway = Gateway(tmp_path / "gateway", hub.root, url, client)
        with pytest.raises(UpdateError, match="ExpiredMetadataError"):
            gateway.fetch(path)


def test_files_of_two_moments_are_refused(hub: UpdateHub, gateway: Gateway) -> None:
    """Mix and match: this moment's timestamp and snapshot with targets that were valid a moment ago."""
    first = hub.approve(ARCHIVE, custom_for())
    old = hub.repository.metadata("2.targets.json")
    assert old is not None
    hub.approve(b"another" * 1000, custom_for(version="1.1.0", sha256="cd" * 32))
    hub.spoil = lambda asked, content: old if asked.endswith(".targets.json") else content
    with pytest.raises(UpdateError, match="refused"):
        gateway.fetch(first)


def test_a_target_that_nobody_signed_is_none(gateway: Gateway) -> None:
    with pytest.raises(UpdateError, match="not among those that an approver signed"):
        gateway.fetch("default-9.9.9-abababababab.tar")


def test_a_root_that_is_none_is_refused(gateway: Gateway) -> None:
    gateway.root = b"{}"
    with pytest.raises(UpdateError, match="pinned root"):
        gateway.open()


def test_keys_are_rotated_without_touching_the_gateway(hub: UpdateHub, gateway: Gateway) -> None:
    """A gateway with the first root follows to one whose approver has another key; the old key is worth nothing."""
    former, hub.targets_key = hub.targets_key, CryptoSigner.generate_ed25519()
    root = signing.next_root(hub.repository.root(), hub.now + timedelta(days=365))
    root.signed.revoke_key(former.public_key.keyid, "targets")
    root.signed.add_key(hub.targets_key.public_key, "targets")
    hub.repository.accept_root(signing.to_bytes(signing.signed(root, [hub.root_key])))
    assert not hub.repository.targets_trusted()
    path = hub.approve(ARCHIVE, custom_for())
    assert gateway.fetch(path) == ARCHIVE
    with pytest.raises(Exception, match="sign with a key of the root"):
        hub.approve(b"x", custom_for(version="2.0.0", sha256="ef" * 32), former)


def test_stolen_online_keys_are_replaced(hub: UpdateHub, gateway: Gateway) -> None:
    gateway.fetch(hub.approve(ARCHIVE, custom_for()))
    fresh = hub.repository.online_keys(fresh=True)
    root = signing.next_root(hub.repository.root(), hub.now + timedelta(days=365))
    for role, key in fresh.items():
        for keyid in list(root.signed.roles[role].keyids):
            root.signed.revoke_key(keyid, role)
        root.signed.add_key(key, role)
    hub.repository.accept_root(signing.to_bytes(signing.signed(root, [hub.root_key])))
    assert hub.repository.online_keys() == fresh
    path = hub.approve(b"next" * 100, custom_for(version="1.1.0", sha256="cd" * 32))
    assert gateway.fetch(path) == b"next" * 100


def test_a_download_keeps_to_its_bandwidth(hub: UpdateHub, gateway: Gateway) -> None:
    path = hub.approve(ARCHIVE * 10, custom_for())
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    fetcher = HubFetcher(gateway.client, Pace(most_bytes_per_s=10_000), clock=lambda: now[0], sleep=sleep)
    repository = TrustedRepository(gateway.directory / "tuf", gateway.root, gateway.url, fetcher)
    repository.download(repository.find(path), gateway.directory / "archive.tar")
    assert sum(slept) >= 10.0


def test_a_hub_that_trickles_is_left(hub: UpdateHub, gateway: Gateway) -> None:
    path = hub.approve(ARCHIVE * 10, custom_for())
    now = [0.0]

    def clock() -> float:
        now[0] += 40.0
        return now[0]

    fetcher = HubFetcher(gateway.client, Pace(least_bytes_per_s=4000, grace_s=30), clock=clock)
    repository = TrustedRepository(gateway.directory / "tuf", gateway.root, gateway.url, fetcher)
    with pytest.raises(UpdateError, match="SlowRetrievalError"):
        repository.find(path)


def test_a_silent_hub_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []
        threading.Thread(target=lambda: held.append(server.accept()[0]), daemon=True).start()
        with httpx.Client(timeout=0.3) as client:
            fetcher = HubFetcher(client)
            with pytest.raises(SlowRetrievalError):
                list(fetcher.fetch(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        for connection in held:
            connection.close()


def test_redirections_are_not_followed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(
                b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"
            )
            time.sleep(0)
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        with httpx.Client(timeout=5) as client, pytest.raises(DownloadError, match="302"):
            list(HubFetcher(client).fetch(f"http://127.0.0.1:{server.getsockname()[1]}/"))
