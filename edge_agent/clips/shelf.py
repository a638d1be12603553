"""The files of clips in their directories: sound, perhaps a picture, and the sidecar that says the clip is there."""

import contextlib
import hashlib
import os
from pathlib import Path

from edge_agent.clips import files
from edge_agent.clips.errors import ClipError, failure_of
from edge_agent.clips.row import ClipRow, row_of
from edge_agent.clips.sidecar import MAX_SIDECAR_BYTES, Sidecar, parse_sidecar
from edge_agent.durable import sync_directory, write_one_of_many, write_whole

_SUFFIXES = (files.SIDECAR, *files.PAYLOADS.values(), files.PICTURE)


class ClipShelf:
    """`<root>/<day>/<id>.flac|.npz`, `.png`, `.json`: written in this order, removed the other way round.

    It locks nothing and counts nothing: `ClipStore` does.

    Args:
        root: The store's directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, clip_id: str, suffix: str) -> Path:
        """Where a file of a clip lies, whether it is there or not.

        Raises:
            ClipError: This is no id of a clip.
        """
        if not files.is_clip_id(clip_id):
            raise ClipError(f"{clip_id!r} is no id of a clip; `edge-agent clips list` shows those there are")
        return self._root / files.day_of(clip_id) / f"{clip_id}{suffix}"

    def payload_path(self, sidecar: Sidecar) -> Path:
        """Where a clip's FLAC or `.npz` file lies."""
        return self.path(sidecar.id, files.PAYLOADS[sidecar.sound.kind])

    def find(self, clip_id: str) -> Sidecar:
        """What is known of a clip.

        Raises:
            ClipError: There is none with this id, or its sidecar cannot be read.
        """
        return self._read(clip_id)[0]

    def row(self, clip_id: str) -> ClipRow:
        """A clip as the index keeps it, from what lies there now.

        Raises:
            ClipError: Its sidecar cannot be read.
            FileNotFoundError: Its sound is gone.
        """
        sidecar, content_bytes, changed_ns = self._read(clip_id)
        return row_of(
            sidecar, files_bytes=self._files_bytes(sidecar), sidecar_bytes=content_bytes, sidecar_ns=changed_ns
        )

    def changed_ns(self, clip_id: str) -> int | None:
        """When a clip's sidecar was last changed, nanoseconds of the file system; None where there is none."""
        try:
            return self.path(clip_id, files.SIDECAR).lstat().st_mtime_ns
        except FileNotFoundError:
            return None

    def write(self, sidecar: Sidecar, payload: bytes, picture: bytes | None) -> ClipRow:
        """Write a clip, the sidecar last; returns it as the index keeps it.

        Raises:
            OSError: The disk refuses; nothing of it is left.
        """
        try:
            directory = files.make_day(self._root, sidecar.id)
            write_one_of_many(self.payload_path(sidecar), payload)
            if picture is not None:
                write_one_of_many(self.path(sidecar.id, files.PICTURE), picture)
            sync_directory(directory)  # before the sidecar says that they are there
            return self.write_sidecar(sidecar)
        except BaseException:
            self.discard(sidecar.id)
            raise

    def write_sidecar(self, sidecar: Sidecar) -> ClipRow:
        """Write what is known of a clip; returns it as the index keeps it.

        Raises:
            OSError: The disk refuses; the former one stands.
        """
        path = self.path(sidecar.id, files.SIDECAR)
        content = sidecar.to_bytes()
        files_bytes = self._files_bytes(sidecar)
        write_whole(path, content)
        return row_of(
            sidecar,
            files_bytes=files_bytes,
            sidecar_bytes=len(content),
            sidecar_ns=path.lstat().st_mtime_ns,
        )

    def flaw(self, sidecar: Sidecar) -> str | None:
        """What of a clip is not as it was written; None where all is. Reads its sound."""
        try:
            with files.open_plain(self.payload_path(sidecar)) as file:
                size_bytes = os.fstat(file.fileno()).st_size
                if size_bytes != sidecar.size_bytes:
                    return f"its file has {size_bytes} bytes, not {sidecar.size_bytes}"
                if hashlib.file_digest(file, "sha256").hexdigest() != sidecar.sha256:
                    return "its file is not the one that was written (other SHA-256)"
        except OSError as error:
            return f"its file: {error.strerror}"
        try:
            picture = self.path(sidecar.id, files.PICTURE)
            if sidecar.picture_bytes and files.plain_size(picture) != sidecar.picture_bytes:
                return "its picture is not the one that was written (other size)"
        except OSError as error:
            return f"its picture: {error.strerror}"
        return None

    def remove(self, clip_id: str) -> None:
        """Remove a clip, the sidecar first: without it the rest is swept at the next start.

        Raises:
            OSError: The disk refuses; the clip is still there.
        """
        self.path(clip_id, files.SIDECAR).unlink(missing_ok=True)
        self.discard(clip_id)

    def discard(self, clip_id: str) -> None:
        """Remove whatever can be removed of a clip that is none."""
        for suffix in _SUFFIXES:
            files.remove(self.path(clip_id, suffix))

    def _read(self, clip_id: str) -> tuple[Sidecar, int, int]:
        """A sidecar, its size in bytes, and when it was changed."""
        path = self.path(clip_id, files.SIDECAR)
        try:
            with files.open_plain(path) as file:
                changed_ns = os.fstat(file.fileno()).st_mtime_ns
                content = file.read(MAX_SIDECAR_BYTES + 1)
        except FileNotFoundError:
            raise no_such_clip(clip_id) from None
        except OSError as error:
            raise ClipError(f"{path}: {error.strerror}; check the disk", failure_of(error)) from error
        sidecar = parse_sidecar(content, name=str(path))
        if sidecar.id != clip_id:
            raise ClipError(f"{path}: is of clip {sidecar.id}; delete it or restore its sidecar")
        return sidecar, len(content), changed_ns

    def _files_bytes(self, sidecar: Sidecar) -> int:
        size_bytes = files.plain_size(self.payload_path(sidecar))
        if sidecar.picture_bytes:
            with contextlib.suppress(FileNotFoundError):  # the sound is worth keeping without it
                size_bytes += files.plain_size(self.path(sidecar.id, files.PICTURE))
        return size_bytes


def no_such_clip(clip_id: str) -> ClipError:
    """There is none with this id."""
    return ClipError(f"there is no clip {clip_id}; `edge-agent clips list` shows those there are")
