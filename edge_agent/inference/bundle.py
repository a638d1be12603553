"""Bundles: a directory of models, verified before anything in it is used."""

import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

import edge_agent
from edge_agent.inference import golden
from edge_agent.inference.arrays import read_npz
from edge_agent.inference.encoder import Encoder
from edge_agent.inference.errors import BundleError
from edge_agent.inference.files import read_plain, read_verified
from edge_agent.inference.manifest import (
    GOLDEN_NAME,
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    BundleRef,
    Manifest,
    parse_manifest,
)
from edge_agent.inference.probe import ModelProbe
from edge_agent.inference.runtime import TFLiteModel, find_runtime
from edge_agent.signal.settings import SignalSettings

GENERIC_TYPE = "generic"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. Make one with `load_bundle`.

    Attributes:
        root: Its directory, without symbolic links.
        manifest: What it holds.
        sha256: SHA-256 of `manifest.json`; as that lists the hash of every file, it stands for the whole bundle.
    """

    root: Path
    manifest: Manifest
    sha256: str

    @property
    def ref(self) -> BundleRef:
        """What results and profiles record about their bundle."""
        return BundleRef(name=self.manifest.name, version=self.manifest.version, sha256=self.sha256)

    def read(self, name: str) -> bytes:
        """The bytes of a listed file, verified again: what is used is what was hashed, even if the disk changed since.

        Raises:
            BundleError: Not listed, not a plain file, or other bytes than the manifest says.
        """
        entry = next((entry for entry in self.manifest.files if entry.path == name), None)
        if entry is None:
            raise BundleError(f"{self.root}: {name} is not listed in {MANIFEST_NAME}; it is not part of the bundle")
        return read_verified(self.root, entry)

    def read_manifest(self) -> bytes:
        """The bytes of `manifest.json`, verified again.

        Raises:
            BundleError: It is another one than when the bundle was loaded.
        """
        content = read_plain(self.root / MANIFEST_NAME, MAX_MANIFEST_BYTES)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise BundleError(f"{self.root / MANIFEST_NAME}: was changed since the bundle was loaded; load it again")
        return content

    def encoder(self) -> Encoder:
        """A new encoder, for one thread."""
        spec = self.manifest.encoder
        model = TFLiteModel(self.read(spec.file), name=str(self.root / spec.file))
        return Encoder(model, spec, bands=self.manifest.signal.n_mels)

    def type_arrays(self, machine_type: str) -> tuple[str, Mapping[str, NDArray[Any]]]:
        """The arrays of a machine type's prior, and the name of the type they are of.

        Args:
            machine_type: The wanted type; one that the bundle does not know gets the prior of `generic`.

        Raises:
            BundleError: The bundle has neither.
        """
        known = self.manifest.machine_types
        found = machine_type if machine_type in known else GENERIC_TYPE
        if found not in known:
            raise BundleError(
                f"{self.root}: no prior for machine type {machine_type!r}, and none for {GENERIC_TYPE!r}; "
                "fit one with `training-hub fit-type`"
            )
        path = f"types/{found}.npz"
        return found, read_npz(self.read(path), name=str(self.root / path))

    def fault_arrays(self, machine_type: str) -> Mapping[str, NDArray[Any]] | None:
        """The arrays of a machine type's fault prototypes; None where the bundle has none.

        Raises:
            BundleError: The file was changed.
        """
        if machine_type not in self.manifest.fault_types:
            return None
        path = f"faults/{machine_type}.npz"
        return read_npz(self.read(path), name=str(self.root / path))

    def self_test(self) -> None:
        """Run the golden recording through features and model and compare.

        Raises:
            BundleError: There is none, or this machine computes something else than the one that made the bundle.
        """
        path = str(self.root / GOLDEN_NAME)
        expected = golden.parse(read_npz(self.read(GOLDEN_NAME), name=path), name=path)
        golden.check(expected, self.manifest, self.encoder(), name=path)


def load_bundle(
    path: Path | str, *, probe: bool = True, self_test: bool = True, early: ModelProbe | None = None
) -> Bundle:
    """Open a bundle, verifying all of it: names, sizes, hashes, versions, arrays, the model, the golden recording.

    Args:
        path: The bundle's directory. It may itself be reached by a symbolic link; inside, none is followed.
        probe: Run the model in a child process first. Leave it out only for a bundle whose signature was verified.
        self_test: Run the golden recording, where the bundle has one.
        early: A probe that was begun before: counts where it is of the very bytes of this bundle's model.

    Raises:
        BundleError: Any flaw; the message names the file and the mend.
    """
    root = Path(path)
    try:
        root = root.resolve(strict=True)
        content = read_plain(root / MANIFEST_NAME, MAX_MANIFEST_BYTES)
        manifest = parse_manifest(content, path=root / MANIFEST_NAME)
        _check_versions(manifest, root)
        _check_names(root, set(manifest.file_names))
    except OSError as error:
        raise BundleError(f"{error.filename or path}: {error.strerror}; give the directory of a bundle") from error
    with ExitStack() as probes:
        for entry in sorted(manifest.files, key=lambda entry: entry.path != manifest.encoder.file):
            raw = read_verified(root, entry)
            if entry.path.endswith(".npz"):
                read_npz(raw, name=str(root / entry.path))
            if probe and entry.path == manifest.encoder.file and (early is None or early.content != raw):
                early = probes.enter_context(ModelProbe(raw, name=str(root / entry.path)))
        if probe and early is not None:
            find_runtime()  # what is imported meanwhile need not be waited for afterwards
            early.wait()
    bundle = Bundle(root, manifest, hashlib.sha256(content).hexdigest())
    if self_test and GOLDEN_NAME in manifest.file_names:
        bundle.self_test()
    else:
        bundle.encoder()  # its tensors must be what the manifest says
    return bundle


def _check_versions(manifest: Manifest, root: Path) -> None:
    if version_numbers(manifest.minimum_agent_version) > version_numbers(edge_agent.__version__):
        raise BundleError(
            f"{root}: needs agent {manifest.minimum_agent_version} or newer, this is {edge_agent.__version__}; "
            "update the agent or use an older bundle"
        )
    expected = SignalSettings()
    if manifest.signal_sha256 != expected.hash:
        raise BundleError(
            f"{root / MANIFEST_NAME}: trained on other signal settings ({manifest.signal_sha256[:12]}...) than this "
            f"agent computes ({expected.hash[:12]}...); use a bundle of this agent's contract"
        )


def version_numbers(version: str) -> tuple[int, ...]:
    """A version to compare by; what follows the third number does not count.

    >>> version_numbers("0.10.0") > version_numbers("0.9.1.dev3")
    True
    """
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


def _check_names(root: Path, listed: set[str]) -> None:
    """Refuse links, special files and files that the manifest does not list."""
    for directory, subdirectories, names in os.walk(root, onerror=_raise):
        for name in (*subdirectories, *names):
            found = Path(directory, name)
            relative = found.relative_to(root).as_posix()
            mode = found.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise BundleError(f"{found}: is a symbolic link; a bundle holds plain files only")
            if stat.S_ISDIR(mode):
                continue
            if relative != MANIFEST_NAME and relative not in listed:
                raise BundleError(f"{found}: is not listed in {MANIFEST_NAME}; remove it or export the bundle again")


def _raise(error: OSError) -> None:
    raise error
