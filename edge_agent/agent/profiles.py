"""The profiles in the state directory."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.normals import MAX_BYTES, Normals, digest_of
from edge_agent.detection.profile import MAX_NORMALS, Profile
from edge_agent.durable import write_whole
from edge_agent.errors import CommandError
from edge_agent.inference.in_use import profiles_in_use

MAX_HISTORY = 5

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NUMBERED = re.compile(r"[0-9]{1,9}")
_OF_NORMALS = 0o600  # spectrograms of a site's sound: nobody else's to read


@dataclass(frozen=True, slots=True, eq=False)
class FormerProfile:
    """A profile that another one replaced; numbers grow with each replacement."""

    number: int
    profile: Profile


class ProfileStore:
    """What was learnt of the machines, and what they were learnt from.

    `<state>/profiles/<machine>.npz` is the profile in use. `history/<machine>/<number>.npz` holds the last five that it
    replaced, `normals/<machine>/<digest>.npz` the sound that profiles were fitted on, by the digest that the profile
    names: a profile takes another's place in one rename, and its normals are there before. Where a bundle came from the
    hub, the profiles that were fitted for it lie with it (`edge_agent.inference.in_use`).

    Args:
        state_dir: The agent's state directory.
        directory: The profiles, where they are not those in use.

    Raises:
        BundleError: What is in use cannot be read.
    """

    def __init__(self, state_dir: Path, directory: Path | None = None) -> None:
        self.state_dir = state_dir
        self._fixed = directory is not None
        self.directory = profiles_in_use(state_dir) if directory is None else directory

    def follow(self) -> None:
        """Another bundle is in use: the profiles that were fitted for it are, too."""
        self.directory = profiles_in_use(self.state_dir)

    def path(self, machine_id: str) -> Path:
        """Where the machine's profile lies, whether there is one or not.

        Raises:
            CommandError: No machine can have this id.
        """
        if not _ID.fullmatch(machine_id):
            raise CommandError(
                f"machine id {machine_id!r}: 1-64 of A-Z a-z 0-9 _ . -, a letter or digit first; choose another"
            )
        return self.directory / f"{machine_id}.npz"

    def machines(self) -> tuple[str, ...]:
        """Commissioned machines, sorted."""
        if not self.directory.is_dir():
            return ()
        return tuple(sorted(path.stem for path in self.directory.glob("*.npz") if _ID.fullmatch(path.stem)))

    def stamps(self) -> dict[str, tuple[int, int, int]]:
        """For each commissioned machine what tells that its profile was written anew: inode, size, time."""
        found = {}
        for machine_id in self.machines():
            try:
                status = self.path(machine_id).stat()
            except FileNotFoundError:
                continue  # removed meanwhile
            found[machine_id] = (status.st_ino, status.st_size, status.st_mtime_ns)
        return found

    def find(self, machine_id: str) -> Profile | None:
        """The machine's profile; None before it is commissioned.

        Raises:
            DetectionError: The file is no profile that this agent can use.
        """
        path = self.path(machine_id)
        return Profile.load(path) if path.exists() else None

    def load(self, machine_id: str) -> Profile:
        """The machine's profile.

        Raises:
            CommandError: It was never commissioned.
            DetectionError: The file is no profile that this agent can use.
        """
        profile = self.find(machine_id)
        if profile is None:
            known = ", ".join(self.machines()) or "none"
            raise CommandError(
                f"machine {machine_id!r} has no profile in {self.directory} (commissioned: {known}); "
                f"run: edge-agent commission --machine {machine_id} --from PATH..."
            )
        return profile

    def save(self, profile: Profile, normals: Normals | None = None) -> Path:
        """Put a profile in use; the one that it replaces goes to the history.

        Args:
            profile: The profile; it may name normals that are kept already.
            normals: More sound that it was fitted on, to be kept with it.

        Raises:
            CommandError: The state directory cannot be written; the former profile stands.
        """
        path = self.path(profile.machine_id)
        if not self._fixed and self.directory != profiles_in_use(self.state_dir):
            raise CommandError(
                f"another bundle came from the hub meanwhile: the profile of {profile.machine_id!r} is for the former "
                "one and was not written; do it again"
            )
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            if normals is not None:
                digest = self._keep(profile.machine_id, normals.to_bytes())
                others = [known for known in profile.normals if known != digest]
                profile = replace(profile, normals=(*others, digest))
            self._remember(profile.machine_id)
            write_whole(path, profile.to_bytes())
            self._forget(profile.machine_id)
        except OSError as error:
            raise CommandError(
                f"{path} cannot be written ({error.strerror}); check the state directory's rights and room, "
                "or name another one"
            ) from error
        return path

    def keep_normals(self, machine_id: str, normals: Normals) -> str:
        """Keep sound before a profile names it; returns the digest to name it by.

        Raises:
            OSError: The disk refuses.
        """
        return self._keep(machine_id, normals.to_bytes())

    def all_normals(self, profile: Profile) -> tuple[Normals, ...]:
        """All sound that a profile was fitted on, in order of time; none where none was kept.

        Raises:
            DetectionError: A file is missing or damaged.
        """
        return tuple(self._normals(profile.machine_id, digest) for digest in profile.normals)

    def normals(self, profile: Profile) -> tuple[Normals, ...]:
        """The sound that a profile was fitted on, in order of time.

        Raises:
            CommandError: None is kept, or no more can be added to it.
            DetectionError: A file is missing or damaged.
        """
        again = f"edge-agent commission --machine {profile.machine_id} --from PATH..."
        if not profile.normals:
            raise CommandError(
                f"machine {profile.machine_id!r} was commissioned without keeping its normals: nothing can be added; "
                f"run: {again}"
            )
        if len(profile.normals) >= MAX_NORMALS:
            raise CommandError(
                f"machine {profile.machine_id!r} was added to {MAX_NORMALS - 1} times, which is the most; run: {again}"
            )
        return self.all_normals(profile)

    def history(self, machine_id: str) -> tuple[FormerProfile, ...]:
        """Former profiles, the latest first; those that cannot be read any more are left out.

        Raises:
            CommandError: No machine can have this id.
        """
        found = []
        for path in self._former(machine_id):
            try:
                found.append(FormerProfile(int(path.stem), Profile.load(path)))
            except DetectionError:
                continue  # one of an older format: it could not be used either
        return tuple(found)

    def revert(self, machine_id: str, number: int | None = None) -> FormerProfile:
        """Put a former profile in use again, the latest one by default; the present one goes to the history.

        Raises:
            CommandError: There is none of this number.
        """
        former = self.history(machine_id)
        chosen = next((one for one in former if number in (None, one.number)), None)
        if chosen is None:
            known = ", ".join(str(one.number) for one in former) or "none"
            wanted = "profile" if number is None else f"profile {number}"
            raise CommandError(f"machine {machine_id!r} has no former {wanted} to go back to; known: {known}")
        self.save(chosen.profile)
        return chosen

    def remove(self, machine_id: str) -> None:
        """Forget a machine, its former profiles and its kept sound.

        Raises:
            CommandError: It has no profile.
        """
        path = self.path(machine_id)
        if not path.exists():
            self.load(machine_id)
        path.unlink()
        for directory in (self._history_of(machine_id), self._normals_of(machine_id)):
            for kept in directory.glob("*.npz"):
                kept.unlink()
            if directory.is_dir():
                directory.rmdir()

    def _history_of(self, machine_id: str) -> Path:
        self.path(machine_id)  # refuses an id that is no file name
        return self.directory / "history" / machine_id

    def _normals_of(self, machine_id: str) -> Path:
        self.path(machine_id)
        return self.directory / "normals" / machine_id

    def _former(self, machine_id: str) -> list[Path]:
        """Files of former profiles, the latest first."""
        paths = [path for path in self._history_of(machine_id).glob("*.npz") if _NUMBERED.fullmatch(path.stem)]
        return sorted(paths, key=lambda path: int(path.stem), reverse=True)

    def _remember(self, machine_id: str) -> None:
        """Copy the profile in use to the history, unless that was done before."""
        path = self.path(machine_id)
        if not path.exists():
            return
        content = path.read_bytes()
        former = self._former(machine_id)
        if former and former[0].read_bytes() == content:
            return
        directory = self._history_of(machine_id)
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        number = 1 + (int(former[0].stem) if former else 0)
        write_whole(directory / f"{number}.npz", content)

    def _keep(self, machine_id: str, content: bytes) -> str:
        digest = digest_of(content)
        directory = self._normals_of(machine_id)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(directory / f"{digest}.npz", content, mode=_OF_NORMALS)
        return digest

    def _normals(self, machine_id: str, digest: str) -> Normals:
        path = self._normals_of(machine_id) / f"{digest}.npz"
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise DetectionError(f"{path}: {error.strerror}; commission the machine again") from error
        if digest_of(content) != digest:
            raise DetectionError(f"{path}: is not what its name says, damaged or changed; commission the machine again")
        return Normals.from_bytes(content, name=str(path))

    def _forget(self, machine_id: str) -> None:
        """Drop former profiles beyond the last five, and normals that no profile names."""
        for path in self._former(machine_id)[MAX_HISTORY:]:
            path.unlink()
        profiles = [self.load(machine_id), *(former.profile for former in self.history(machine_id))]
        named = {digest for profile in profiles for digest in profile.normals}
        for path in self._normals_of(machine_id).glob("*.npz"):
            if path.stem not in named:
                path.unlink()


class ProfileWatch:
    """Tells which machines' profiles were written or removed since it last looked.

    Args:
        store: The profiles.
    """

    def __init__(self, store: ProfileStore) -> None:
        self._store = store
        self._stamps = store.stamps()

    def changed(self) -> tuple[str, ...]:
        """Machines whose profile is another one than at the last call, sorted."""
        before, self._stamps = self._stamps, self._store.stamps()
        machines = sorted({*before, *self._stamps})
        return tuple(machine for machine in machines if before.get(machine) != self._stamps.get(machine))
