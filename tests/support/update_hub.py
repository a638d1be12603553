"""A hub's update repository with real keys, served over real HTTP, and ways to spoil what it sends."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import TargetFile

from edge_agent.sync.updates.target import TargetCustom
from training_hub.rollout import signing
from training_hub.rollout.repository import Lives, TufRepository

YEAR = timedelta(days=365)
Spoil = Callable[[str, bytes], bytes]


def known(target: TargetFile, custom: TargetCustom) -> None:
    """Any bundle may be rolled out."""


@dataclass
class UpdateHub:
    """People's keys, the hub's repository, the archives, and what is done to answers on their way."""

    directory: Path
    lives: Lives = field(default_factory=Lives)
    root_key: CryptoSigner = field(default_factory=CryptoSigner.generate_ed25519)
    targets_key: CryptoSigner = field(default_factory=CryptoSigner.generate_ed25519)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    archives: dict[str, bytes] = field(default_factory=dict)
    spoil: Spoil = lambda path, content: content
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repository = TufRepository(self.directory, self.lives, now=lambda: self.now)
        root = signing.first_root(
            [self.root_key.public_key],
            1,
            [self.targets_key.public_key],
            1,
            self.repository.online_keys(),
            self.now + YEAR,
        )
        self.root = signing.to_bytes(signing.signed(root, [self.root_key]))
        targets = signing.signed(signing.first_targets(self.now + YEAR), [self.targets_key])
        self.repository.install(self.root, signing.to_bytes(targets))

    def approve(self, archive: bytes, custom: TargetCustom, *signers: CryptoSigner) -> str:
        """Sign a bundle's archive as the approver does; returns the target's path."""
        targets = signing.next_targets(self.repository.targets(), self.now + YEAR)
        target = signing.target_of(archive, custom)
        targets.signed.targets[target.path] = target
        signing.signed(targets, signers or [self.targets_key])
        self.repository.accept_targets(signing.to_bytes(targets), known)
        self.archives[target.hashes["sha256"]] = archive
        return target.path

    def answer(self, path: str) -> bytes | None:
        """What is served under a path, before it is spoilt."""
        what, _, name = path.strip("/").partition("/")
        if what == "metadata":
            return self.repository.metadata(name)
        digest = self.repository.archive_of(name)
        return None if digest is None else self.archives.get(digest)

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve it; yields the URL."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked.append(self.path)
                content = hub.answer(self.path)
                if content is None:
                    self.send_error(404)
                    return
                content = hub.spoil(self.path, content)
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the other side left: that is what is tested
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def custom_for(name: str = "default", version: str = "1.0.0", sha256: str = "ab" * 32) -> TargetCustom:
    """What the metadata says of a bundle."""
    return TargetCustom(name=name, version=version, sha256=sha256, minimum_agent_version="0.1.0", gate="passed")
