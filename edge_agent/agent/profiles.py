"""The profiles in the state directory."""

import re
from pathlib import Path

from edge_agent.detection.profile import Profile
from edge_agent.errors import CommandError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class ProfileStore:
    """`<state>/profiles/<machine>.npz`, one file for each commissioned machine."""

    def __init__(self, state_dir: Path) -> None:
        self.directory = state_dir / "profiles"

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

    def save(self, profile: Profile) -> Path:
        """Keep a profile; the former one stays in place until this one is whole on the disk.

        Raises:
            CommandError: The state directory cannot be written.
        """
        path = self.path(profile.machine_id)
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            profile.save(path)
        except OSError as error:
            raise CommandError(
                f"{path} cannot be written ({error.strerror}); check the state directory's rights and room, "
                "or name another one"
            ) from error
        return path

    def remove(self, machine_id: str) -> None:
        """Forget a machine.

        Raises:
            CommandError: It has no profile.
        """
        self.load(machine_id)
        self.path(machine_id).unlink()
