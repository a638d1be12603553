"""Bundles that differ from the shipped one in one thing, whole and verifiable."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.inference.archive import pack_bundle
from edge_agent.inference.bundle import Bundle, load_bundle

SHIPPED = Path(__file__).parents[2] / "models" / "default"

Edit = Callable[[dict[str, Any], Path], None]


def variant(directory: Path, version: str, edit: Edit = lambda manifest, directory: None) -> Bundle:
    """The shipped bundle under another version, edited, with its hashes made anew."""
    shutil.copytree(SHIPPED, directory)
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["version"] = version
    edit(manifest, directory)
    for entry in manifest["files"]:
        content = (directory / entry["path"]).read_bytes()
        entry["sha256"], entry["size"] = hashlib.sha256(content).hexdigest(), len(content)
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return load_bundle(directory, probe=False, self_test=False)


def another_ear(manifest: dict[str, Any], directory: Path) -> None:
    """An encoder that hears otherwise: its input is scaled by another deviation. It has no golden recording then."""
    manifest["encoder"]["input"]["std_db"] *= 1.25
    manifest["files"] = [entry for entry in manifest["files"] if entry["path"] != "golden.npz"]
    (directory / "golden.npz").unlink()


def too_new(manifest: dict[str, Any], directory: Path) -> None:
    """Needs an agent of the future."""
    manifest["minimum_agent_version"] = "99.0.0"


def wrong_golden(manifest: dict[str, Any], directory: Path) -> None:
    """Says of its recording what no machine computes: the features are scaled otherwise than when it was made."""
    manifest["encoder"]["input"]["std_db"] *= 3.0


def archive_of(bundle: Bundle) -> bytes:
    """As it travels."""
    return pack_bundle(bundle)
