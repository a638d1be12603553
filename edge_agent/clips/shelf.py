"""The files of clips in their directories: sound, perhaps a picture, and the sidecar that says the clip is there."""

from pathlib import Path

from edge_agent.clips import files
from edge_agent.clips.errors import ClipError, failure_of
from edge_agent.clips.index import ClipRow, row_of
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
        path = self.path(clip_id, files.SIDECAR)
        try:
            with path.open("rb") as file:
                return parse_sidecar(file.read(MAX_SIDECAR_BYTES + 1), name=str(path))
        except FileNotFoundError:
            raise no_such_clip(clip_id) from None
        except OSError as error:
            raise ClipError(f"{path}: {error.strerror}; check the disk", failure_of(error)) from error

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
        write_whole(path, content)
        return row_of(sidecar, sidecar_bytes=len(content), sidecar_ns=path.stat().st_mtime_ns)

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


def no_such_clip(clip_id: str) -> ClipError:
    """There is none with this id."""
    return ClipError(f"there is no clip {clip_id}; `edge-agent clips list` shows those there are")
