"""Bundles and sets of profiles on the gateway's disk, and the one file that says which are in use.

Everything is written beside, verified, and moved into its place by a rename. `active.json` is replaced last and in one
rename: killed at any moment, the agent finds the old pair or the new one, each whole and verified.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.durable import sync_directory, write_whole
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import (
    BASE_SET,
    FILE_NAME,
    Declined,
    InUse,
    Slot,
    bundle_dir,
    models_dir,
    profiles_dir,
    read_in_use,
)
from edge_agent.sync.updates.errors import UpdateError

STEPS = (
    "incoming_cleared",
    "unpacked",
    "verified",
    "bundle_in_place",
    "profiles_written",
    "profiles_in_place",
    "former_kept",
    "before_switch",
    "switched",
    "tidied",
)
"""What a take-over goes through, in this order: where tests kill it."""

MAX_BOOTS = 3
"""Starts with a bundle that was never confirmed, before the last good one is taken again."""


class Shelf:
    """What lies under `<state>/models`. One process changes it; others may read.

    Args:
        state_dir: The agent's state directory.
        step: Told of each step when it is done.
    """

    def __init__(self, state_dir: Path, step: Callable[[str], None] = lambda step: None) -> None:
        self._state_dir = state_dir
        self._root = models_dir(state_dir)
        self._step = step

    @property
    def incoming(self) -> Path:
        """Where a bundle is prepared; nothing in it is ever used from there."""
        return self._root / ".incoming"

    @property
    def tuf(self) -> Path:
        """Where the hub's signed metadata is kept."""
        return self._root / "tuf"

    def in_use(self) -> InUse | None:
        """What is in use; see `read_in_use`."""
        return read_in_use(self._state_dir)

    def slot_of(self, current: Bundle) -> Slot:
        """What is in use, where that is `current`; else the base profiles with it."""
        in_use = self.in_use()
        if in_use is not None and in_use.active.bundle == current.ref:
            return in_use.active
        return Slot(bundle=current.ref, profiles=BASE_SET)

    def clear_incoming(self) -> None:
        """Begin with an empty place."""
        with self._disk("cleared"):
            shutil.rmtree(self.incoming, ignore_errors=True)
            self.incoming.mkdir(parents=True, mode=0o750)
        self._step("incoming_cleared")

    def unpack(self, archive: Path) -> Bundle:
        """Unpack an archive and verify all of it, with a trial run and the golden recording; put it into its place.

        Raises:
            UpdateError: Any flaw, or the disk refuses.
        """
        fresh = self.incoming / "bundle"
        try:
            from edge_agent.inference.archive import unpack_bundle  # noqa: PLC0415  tarfile, where one came from a hub

            with self._disk("unpacked"), archive.open("rb") as file:
                shutil.rmtree(fresh, ignore_errors=True)
                unpack_bundle(file, fresh, name=archive.name)
                self._step("unpacked")
                bundle = load_bundle(fresh)
            self._step("verified")
            return self._into_place(bundle)
        except BundleError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise UpdateError(str(error)) from error

    def place_profiles(self, written: Path, name: str) -> Path:
        """Move a set of profiles that is all written into its place."""
        self._step("profiles_written")
        place = profiles_dir(self._state_dir, name)
        with self._disk("put into place"):
            _sync_tree(written)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            shutil.rmtree(place, ignore_errors=True)
            os.replace(written, place)
            sync_directory(place.parent)
        self._step("profiles_in_place")
        return place

    def switch(self, new: Slot, current: Bundle, *, rollout: str, configured: str) -> InUse:
        """Put a bundle and its profiles into use; what is in use now becomes the last good.

        Raises:
            UpdateError: The disk refuses; what is in use stays so.
        """
        former = self.slot_of(current)
        self._keep(current)
        self._step("former_kept")
        before = self.in_use()
        declined = () if before is None else before.declined
        in_use = InUse(
            configured=configured,
            active=new,
            last_good=former,
            rollout=rollout,
            confirmed=False,
            declined=tuple(one for one in declined if one.rollout != rollout),
        )
        self._step("before_switch")
        self._write(in_use)
        self._step("switched")
        return in_use

    def confirm(self) -> None:
        """What is in use has done well; it is what is gone back to from now on."""
        in_use = self.in_use()
        if in_use is not None and not in_use.confirmed:
            self._write(in_use.model_copy(update={"confirmed": True, "boots": 0}))

    def booting(self, in_use: InUse) -> InUse:
        """Count a start with a bundle that is not confirmed."""
        counted = in_use.model_copy(update={"boots": in_use.boots + 1})
        self._write(counted)
        return counted

    def go_back(self, why: str, *, failed: bool = False) -> InUse | None:
        """Put the last good bundle and its profiles into use again; None where there is none to go back to."""
        in_use = self.in_use()
        if in_use is None or in_use.last_good is None:
            return None
        back = in_use.model_copy(
            update={"active": in_use.last_good, "last_good": None, "rollout": None, "confirmed": True, "boots": 0}
        )
        if in_use.rollout is not None:
            back = back.declining(
                Declined(
                    rollout=in_use.rollout,
                    bundle=in_use.active.bundle,
                    phase="failed" if failed else "rolled_back",
                    why=why[:2048],
                )
            )
        self._write(back)
        return back

    def decline(self, one: Declined, current: Bundle, configured: str) -> None:
        """Remember that a rollout is not for this gateway."""
        in_use = self.in_use()
        if in_use is None:
            self._keep(current)
            in_use = InUse(configured=configured, active=self.slot_of(current))
        self._write(in_use.declining(one))

    def set_aside(self) -> Path:
        """Let the file count no more, and keep it for whoever wants to look."""
        aside = self._root / f"{FILE_NAME}.aside"
        with self._disk("set aside"):
            os.replace(self._root / FILE_NAME, aside)
            sync_directory(self._root)
        return aside

    def tidy(self) -> None:
        """Remove bundles and profiles that nothing names, and what was being prepared."""
        in_use = self.in_use()
        slots = [] if in_use is None else [slot for slot in (in_use.active, in_use.last_good) if slot is not None]
        named = {slot.bundle.sha256 for slot in slots} | {slot.profiles for slot in slots}
        for kind in ("bundles", "profiles"):
            directory = self._root / kind
            for found in directory.iterdir() if directory.is_dir() else ():
                if found.name not in named:
                    shutil.rmtree(found, ignore_errors=True)
        shutil.rmtree(self.incoming, ignore_errors=True)
        self._step("tidied")

    def _keep(self, current: Bundle) -> None:
        """The bundle in use, under its hash: a new package may take the shipped one away."""
        place = bundle_dir(self._state_dir, current.sha256)
        if place == current.root or place.is_dir():
            return
        copy = self.incoming / "former"
        try:
            with self._disk("kept"):
                shutil.rmtree(copy, ignore_errors=True)
                copy.mkdir(parents=True, mode=0o750)
                for name in current.manifest.file_names:
                    (copy / name).parent.mkdir(exist_ok=True, mode=0o750)
                    write_whole(copy / name, current.read(name))
                write_whole(copy / "manifest.json", current.read_manifest())
                self._into_place(load_bundle(copy, probe=False, self_test=False))
        except BundleError as error:
            raise UpdateError(f"the bundle in use cannot be kept as the last good one: {error}") from error

    def _into_place(self, bundle: Bundle) -> Bundle:
        place = bundle_dir(self._state_dir, bundle.sha256)
        with self._disk("put into place"):
            _sync_tree(bundle.root)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            if place.is_dir():  # a former attempt; whole, for it came by a rename
                with contextlib.suppress(BundleError):
                    there = load_bundle(place, probe=False, self_test=False)
                    shutil.rmtree(bundle.root, ignore_errors=True)
                    self._step("bundle_in_place")
                    return there
                shutil.rmtree(place)
            os.replace(bundle.root, place)
            sync_directory(place.parent)
        self._step("bundle_in_place")
        return load_bundle(place, probe=False, self_test=False)

    def _write(self, in_use: InUse) -> None:
        with self._disk("written"):
            self._root.mkdir(parents=True, exist_ok=True, mode=0o750)
            write_whole(self._root / FILE_NAME, in_use.model_dump_json(indent=1).encode())

    @contextmanager
    def _disk(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UpdateError(f"{error.filename or self._root} cannot be {what}: {error.strerror}") from error


def _sync_tree(root: Path) -> None:
    """A rename may reach the disk before what it renames: files and directories first."""
    for directory, _, names in os.walk(root):
        for name in names:
            descriptor = os.open(Path(directory, name), os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(directory))
