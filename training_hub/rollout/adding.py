"""A bundle that was made elsewhere comes into the catalogue, as a draft for an approver to look at."""

import tempfile
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import BundleRef
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.stored import store_object
from training_hub.catalogue.tables import Bundle
from training_hub.rollout.candidates import open_archive
from training_hub.rollout.errors import RolloutError, UntrustedError
from training_hub.storage.objects import ObjectStore

ARCHIVE_TYPE = "application/x-tar"
_CARD = "MODEL_CARD.md"


def inspect_archive(archive: bytes, *, name: str) -> tuple[BundleRef, str]:
    """Unpack a bundle as hostile input, try its model in a child process, and hear the golden recording with it.

    Args:
        archive: The `.tar`.
        name: What the caller calls it, for messages.

    Returns:
        What it says it is, and its model card.

    Raises:
        UntrustedError: It is no bundle that a gateway would run; says which file and why.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            bundle = open_archive(archive, Path(scratch) / "bundle", name=name)
            card = bundle.read(_CARD).decode() if _CARD in bundle.manifest.file_names else ""
        except (BundleError, UnicodeDecodeError) as error:
            raise UntrustedError(f"{name}: {error}") from error
        return bundle.ref, card


def add_bundle(
    session: Session, objects: ObjectStore, archive: bytes, ref: BundleRef, card: str, *, bundle_id: str, deed: Deed
) -> Bundle:
    """Write an inspected bundle down; sent again it changes nothing.

    Raises:
        RolloutError: Another bundle has this name and version.
        StorageError: The store refused it.
    """
    same = or_(Bundle.sha256 == ref.sha256, (Bundle.name == ref.name) & (Bundle.version == ref.version))
    if (found := session.scalar(select(Bundle).where(same))) is not None:
        if found.sha256 != ref.sha256:
            raise RolloutError(f"there is another bundle {ref.name} {ref.version}; give yours another version")
        return found
    row = Bundle(
        id=bundle_id,
        name=ref.name,
        version=ref.version,
        sha256=ref.sha256,
        object_sha256=store_object(session, objects, archive, ARCHIVE_TYPE),
        created_by=deed.actor,
        model_card=card,
    )
    session.add(row)
    deed.record(session, "bundle.add", f"bundle:{bundle_id}", {"bundle": f"{ref.name} {ref.version}"})
    return row
