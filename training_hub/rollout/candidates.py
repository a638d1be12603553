"""Bundles that an approver may sign: what the catalogue knows of them, checked against the archive itself."""

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session
from tuf.api.metadata import TargetFile

from edge_agent.inference.archive import unpack_bundle
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.sync.updates.target import TargetCustom
from training_hub.catalogue.tables import Bundle as BundleRow
from training_hub.catalogue.tables import Run
from training_hub.rollout.errors import UntrustedError
from training_hub.storage.objects import ObjectStore

Gate = Literal["passed", "refused", "none"]
REFUSED = "refused"


def gate_of(session: Session, row: BundleRow) -> Gate:
    """What the comparison with the bundle in use came to."""
    run = None if row.run_id is None else session.get(Run, row.run_id)
    if row.state == REFUSED:
        return "refused"
    if run is None or run.gate is None:
        return "none"
    return "passed" if run.gate.get("passed") is True else "refused"


def custom_for(bundle: Bundle, gate: Gate, overridden: str = "") -> TargetCustom:
    """What the metadata is to say of a bundle."""
    ref = bundle.ref
    return TargetCustom(
        name=ref.name,
        version=ref.version,
        sha256=ref.sha256,
        minimum_agent_version=bundle.manifest.minimum_agent_version,
        gate=gate,
        overridden=overridden,
    )


def check_target(
    session: Session, objects: ObjectStore, target: TargetFile, custom: TargetCustom, *, may_override: bool
) -> BundleRow:
    """Whether a new target is a bundle of this catalogue, said of it what is true.

    Raises:
        UntrustedError: It is not.
    """
    digest = target.hashes["sha256"]
    row = session.scalars(select(BundleRow).where(BundleRow.object_sha256 == digest)).first()
    if row is None or (row.name, row.version, row.sha256) != (custom.name, custom.version, custom.sha256):
        raise UntrustedError(f"target {target.path}: the catalogue has no such bundle; import it first")
    if row.state == "retired":
        raise UntrustedError(f"bundle {row.name} {row.version} is retired; it is rolled out no more")
    archive = objects.get(digest)
    if len(archive) != target.length:
        raise UntrustedError(f"target {target.path}: {len(archive)} bytes, signed as {target.length}")
    gate = gate_of(session, row)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = open_archive(archive, Path(scratch) / "bundle", name=target.path, trusted=True)
        except BundleError as error:
            raise UntrustedError(str(error)) from error
        if custom_for(found, gate, custom.overridden) != custom:
            raise UntrustedError(f"target {target.path}: says of the bundle what is not so; fetch it again and approve")
    if gate == REFUSED and not (may_override and custom.overridden):
        raise UntrustedError(
            f"bundle {row.name} {row.version} did not pass the gate; an administrator may approve it all the same, "
            "with --override WHY"
        )
    return row


def open_archive(archive: bytes, into: Path, *, name: str, trusted: bool = False) -> Bundle:
    """Unpack and verify a bundle.

    Args:
        archive: The `.tar`.
        into: Where to; it must not exist.
        name: The archive's name, for messages.
        trusted: Its model was run before: leave the trial run and the golden recording out.

    Raises:
        BundleError: Any flaw.
    """
    unpack_bundle(BytesIO(archive), into, name=name)
    return load_bundle(into, probe=not trusted, self_test=not trusted)
