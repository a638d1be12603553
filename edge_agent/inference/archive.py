"""A bundle in one file: a plain `.tar` of the manifest and the files that it lists, and nothing else.

The same bundle gives the same bytes: no times, no owners, names in order. Unpacking takes everything for hostile.
"""

import io
import os
import tarfile
from pathlib import Path
from typing import IO

from edge_agent.inference.bundle import Bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import MANIFEST_NAME, MAX_FILE_BYTES, MAX_MANIFEST_BYTES, is_file_name

MAX_ARCHIVE_BYTES = 256 << 20
MAX_MEMBERS = 300
"""256 files, their directories, the manifest."""
_COPY_BYTES = 1 << 20


def pack_bundle(bundle: Bundle) -> bytes:
    """The bundle as a `.tar`, each file verified as it is read.

    Raises:
        BundleError: A file is not what the manifest says, or all together are too large.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:", format=tarfile.USTAR_FORMAT) as archive:
        for name in (MANIFEST_NAME, *sorted(bundle.manifest.file_names)):
            content = bundle.read_manifest() if name == MANIFEST_NAME else bundle.read(name)
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    content = packed.getvalue()
    if len(content) > MAX_ARCHIVE_BYTES:
        raise BundleError(f"{bundle.root}: packs to {len(content)} bytes; at most {MAX_ARCHIVE_BYTES} are rolled out")
    return content


def unpack_bundle(archive: IO[bytes], into: Path, *, name: str) -> None:
    """Write an archive's files below a new directory. What they are is `load_bundle`'s to check.

    Args:
        archive: The `.tar`, from its start.
        into: The directory; it must not exist, and is left half filled where this raises.
        name: The archive's name, for messages.

    Raises:
        BundleError: Links, devices, paths that lead elsewhere, a name twice, too many or too large files, no `.tar`.
        OSError: The directory cannot be written.
    """
    into.mkdir(parents=True, mode=0o750)
    seen: set[str] = set()
    left = MAX_ARCHIVE_BYTES
    try:
        with tarfile.open(fileobj=archive, mode="r:") as opened:
            while (member := opened.next()) is not None:
                _check(member, seen, left, name)
                seen.add(member.name.lower())
                left -= member.size
                if member.isreg():
                    _write(opened, member, into / member.name, name)
    except (tarfile.TarError, EOFError, ValueError, UnicodeError) as error:
        raise BundleError(f"{name}: damaged archive ({error}); pack the bundle again") from error
    if MANIFEST_NAME not in seen:
        raise BundleError(f"{name}: holds no {MANIFEST_NAME}; pack a bundle's directory")


def _check(member: tarfile.TarInfo, seen: set[str], left: int, name: str) -> None:
    if len(seen) >= MAX_MEMBERS:
        raise BundleError(f"{name}: more than {MAX_MEMBERS} members; refuse it")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise BundleError(f"{name}: {member.name!r} is a link or a device; a bundle holds plain files only")
    if not is_file_name(member.name):
        raise BundleError(f"{name}: {member.name!r} is no name of a bundle's file; pack the bundle again")
    if member.name.lower() in seen:
        raise BundleError(f"{name}: {member.name!r} stands twice; pack the bundle again")
    most = MAX_MANIFEST_BYTES if member.name == MANIFEST_NAME else MAX_FILE_BYTES
    if member.size > min(most, left):
        raise BundleError(f"{name}: {member.name!r} has {member.size} bytes; at most {min(most, left)} are taken")


def _write(opened: tarfile.TarFile, member: tarfile.TarInfo, path: Path, name: str) -> None:
    packed = opened.extractfile(member)
    if packed is None:
        raise BundleError(f"{name}: {member.name!r} cannot be read; pack the bundle again")
    path.parent.mkdir(exist_ok=True, mode=0o750)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
    with open(descriptor, "wb") as file:
        while part := packed.read(_COPY_BYTES):
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
