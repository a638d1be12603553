"""The bundles that the hub listens with, opened once."""

import io
import json
import shutil
import tarfile
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.inference.archive import unpack_bundle
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES
from training_hub.catalogue.model_in_use import model_in_use
from training_hub.catalogue.tables import Bundle as BundleRow
from training_hub.parts import HubParts
from training_hub.retention.files import used
from training_hub.sounds.ear import Ear
from training_hub.sounds.errors import Refusal, SoundError
from training_hub.storage.errors import StorageError

_KEPT = 4
_CARD_NAME = "MODEL_CARD.md"


class BundleShelf:
    """Ears of bundles: the one in use, or any of the catalogue by its SHA-256. Any thread.

    Args:
        parts: The hub's parts.
    """

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._ears: OrderedDict[str, Ear] = OrderedDict()
        self._shipped: Ear | None = None

    def ear(self, sha256: str | None = None) -> Ear:
        """The ear of a bundle; of the one in use where none is named.

        Raises:
            SoundError: There is no such bundle, or it cannot be used.
        """
        with self._lock:
            with self._parts.database.transaction(writes=False) as session:
                row = model_in_use(session) if sha256 is None else _row(session, sha256)
            if row is None:
                if sha256 is None or sha256 == self._shipped_sha256():
                    return self._shipped_ear()
                raise SoundError(Refusal.UNKNOWN, f"there is no bundle {sha256}; GET /bundles lists them")
            sha256 = row.sha256
            if sha256 not in self._ears:
                self._ears[sha256] = self._opened(row)
                while len(self._ears) > _KEPT:
                    self._ears.popitem(last=False)
            self._ears.move_to_end(sha256)
            used(self._root(sha256))
            return self._ears[sha256]

    def shipped(self) -> Ear:
        """The ear of the bundle that ships with the hub.

        Raises:
            SoundError: It cannot be used.
        """
        with self._lock:
            return self._shipped_ear()

    def _shipped_sha256(self) -> str | None:
        try:
            return self._shipped_ear().bundle.sha256
        except SoundError:
            return None

    def _shipped_ear(self) -> Ear:
        if self._shipped is None:
            path = self._parts.settings.sounds.resolve_shipped_bundle()
            try:
                self._shipped = Ear(load_bundle(path))
            except BundleError as error:
                raise SoundError(Refusal.UNAVAILABLE, f"no bundle listens here: {error}") from error
        return self._shipped

    def _root(self, sha256: str) -> Path:
        return self._parts.settings.server.state_dir / "cache" / "bundles" / sha256

    def _opened(self, row: BundleRow) -> Ear:
        sha256 = row.sha256
        root = self._root(sha256)
        try:
            if not root.is_dir():
                unpacked(self._parts.objects.get(row.object_sha256), root, name=f"{row.name} {row.version}")
            bundle = load_bundle(root)
        except (BundleError, StorageError, OSError) as error:
            shutil.rmtree(root, ignore_errors=True)
            raise SoundError(Refusal.UNAVAILABLE, f"bundle {row.name} {row.version} cannot be used: {error}") from error
        if bundle.sha256 != sha256:
            shutil.rmtree(root, ignore_errors=True)
            raise SoundError(Refusal.UNAVAILABLE, f"bundle {row.name} {row.version} is {bundle.sha256}, not {sha256}")
        return Ear(bundle)


def unpacked(tar: bytes, root: Path, *, name: str) -> None:
    """A bundle's `.tar` as a directory, whole or not at all.

    Raises:
        BundleError: It is no archive of a bundle.
    """
    root.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix="unpack-") as work:
        made = Path(work) / "bundle"
        unpack_bundle(io.BytesIO(tar), made, name=name)
        try:
            made.rename(root)
        except OSError:
            if not root.is_dir():  # else another process was first
                raise


def look_into(tar: bytes, *, name: str) -> tuple[dict[str, Any], str]:
    """The manifest and the model card of a bundle's `.tar`, without unpacking it; an empty card where it has none.

    Raises:
        SoundError: It is no archive of a bundle.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            manifest = json.loads(_member(archive, MANIFEST_NAME) or b"")
            card = _member(archive, _CARD_NAME)
        if not isinstance(manifest, dict):
            raise ValueError("the manifest is no object")
        return manifest, (card or b"").decode("utf-8", "replace")
    except (tarfile.TarError, ValueError, RecursionError) as error:
        raise SoundError(Refusal.UNAVAILABLE, f"bundle {name} is damaged ({error}); store it again") from error


def _member(archive: tarfile.TarFile, name: str) -> bytes | None:
    try:
        member = archive.getmember(name)
    except KeyError:
        return None
    packed = archive.extractfile(member) if member.isreg() and member.size <= MAX_MANIFEST_BYTES else None
    return None if packed is None else packed.read()


def _row(session: Session, sha256: str) -> BundleRow | None:
    return session.scalar(select(BundleRow).where(BundleRow.sha256 == sha256))
