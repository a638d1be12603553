"""Writing bundles: the other side of `edge_agent.inference.bundle`."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.bundle import Bundle
from edge_agent.inference.manifest import MANIFEST_NAME, FileEntry, Manifest
from training_hub.training.errors import TrainingError


def describe_files(root: Path) -> tuple[FileEntry, ...]:
    """Name, size and SHA-256 of every file of a bundle's directory but the manifest, sorted by name."""
    entries = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            raise TrainingError(f"{path}: is a symbolic link; a bundle holds plain files only")
        if path.is_file() and name != MANIFEST_NAME:
            content = path.read_bytes()
            entries.append(FileEntry(path=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content)))
    return tuple(entries)


def write_manifest(root: Path, manifest: Manifest) -> Manifest:
    """Write `manifest.json` with the hashes of the files that lie in `root` now; replaces an older one atomically.

    Returns:
        The manifest as written, its `files` brought up to date.
    """
    # through JSON, so that every validator sees the result as a reader will
    current = Manifest.model_validate_json(
        manifest.model_copy(update={"files": describe_files(root)}).model_dump_json(exclude_none=True)
    )
    temporary = root / f".{MANIFEST_NAME}.new"
    temporary.write_text(current.model_dump_json(indent=1, exclude_none=True) + "\n")
    os.replace(temporary, root / MANIFEST_NAME)
    return current


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as a compressed `.npz`: the same arrays give the same bytes.

    Raises:
        TrainingError: An array of objects, or one that is not finite; a reader would refuse the file.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject or (array.dtype.kind == "f" and not np.isfinite(array).all()):
            raise TrainingError(f"{path}[{name}]: holds objects, NaN or infinity; the bundle would be refused")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **dict(arrays))


def add_type(bundle: Bundle, machine_type: str, arrays: Mapping[str, NDArray[Any]], out: Path) -> Manifest:
    """Copy a bundle to `out` with one machine type added or replaced.

    Args:
        bundle: The verified bundle to copy.
        machine_type: The type's name; its arrays become `types/<machine_type>.npz`.
        arrays: What the detection package wants to find again.
        out: The new bundle's directory; its own directory (`bundle.root`) to change the bundle in place.

    Raises:
        TrainingError: `out` exists and is not the bundle itself.
    """
    if out.resolve() != bundle.root:
        if out.exists() and any(out.iterdir()):
            raise TrainingError(f"{out}: exists and is not empty; give a new directory")
        for name in bundle.manifest.file_names:
            target = out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(bundle.read(name))
        shutil.copyfile(bundle.root / MANIFEST_NAME, out / MANIFEST_NAME)
    write_npz(out / "types" / f"{machine_type}.npz", arrays)
    return write_manifest(out, bundle.manifest)
