"""Which bundle is in use, and the profiles that were fitted for it: one small file names both together.

Without the file it is the configured bundle with the profiles of `<state>/profiles`. A bundle that came from the hub
lies under its hash, `<state>/models/bundles/<sha256>`, its profiles under `<state>/models/profiles/<set>`; the file is
replaced in one rename, so that no bundle is ever used with profiles of another.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import BundleRef
from edge_agent.record import Record

FILE_NAME = "active.json"
BASE_SET = "base"
"""The profiles of `<state>/profiles`: those of commissioning, before any bundle came from the hub."""
_MAX_BYTES = 64 << 10
_MOST_DECLINED = 50

SetName = Annotated[str, Field(pattern=r"^(base|[0-9a-f]{16}-[0-9a-f]{1,16})$")]


class Slot(Record):
    """A bundle and the profiles that were fitted for it."""

    bundle: BundleRef
    profiles: SetName


class Declined(Record):
    """A rollout whose bundle this gateway does not run, and why."""

    rollout: str
    bundle: BundleRef
    phase: Literal["failed", "rolled_back"]
    why: Annotated[str, Field(max_length=2048)]


class InUse(Record):
    """What `active.json` holds.

    Attributes:
        configured: `model.bundle` when the first bundle was taken over; the file counts while it is that.
        active: What is in use.
        last_good: What to go back to; None where `active` is that itself.
        rollout: The rollout that `active` came with.
        confirmed: Whether `active` has scored well for long enough.
        boots: Starts of the agent with an `active` that was not confirmed yet.
        declined: Rollouts that this gateway left, the newest last.
    """

    format: Literal[1] = 1
    configured: str
    active: Slot
    last_good: Slot | None = None
    rollout: str | None = None
    confirmed: bool = True
    boots: Annotated[int, Field(ge=0)] = 0
    declined: Annotated[tuple[Declined, ...], Field(max_length=_MOST_DECLINED)] = ()

    def declining(self, one: Declined) -> "InUse":
        """With one more rollout that is not for this gateway."""
        others = [each for each in self.declined if each.rollout != one.rollout]
        return self.model_copy(update={"declined": (*others, one)[-_MOST_DECLINED:]})


def models_dir(state_dir: Path) -> Path:
    """Where bundles from the hub lie, and what is known of them."""
    return state_dir / "models"


def bundle_dir(state_dir: Path, sha256: str) -> Path:
    """Where the bundle of this hash lies, whether it is there or not."""
    return models_dir(state_dir) / "bundles" / sha256


def profiles_dir(state_dir: Path, profiles: str) -> Path:
    """Where a set of profiles lies."""
    return state_dir / "profiles" if profiles == BASE_SET else models_dir(state_dir) / "profiles" / profiles


def read_in_use(state_dir: Path) -> InUse | None:
    """What is in use; None where nothing ever came from a hub.

    Raises:
        BundleError: The file is damaged.
    """
    path = models_dir(state_dir) / FILE_NAME
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):  # a state directory that cannot be is told later
        return None
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}; see what is wrong with the disk") from error
    try:
        return InUse.model_validate_json(content)
    except ValidationError as error:
        raise BundleError(
            f"{path}: is damaged ({error.error_count()} flaws); remove it, and the agent begins with model.bundle again"
        ) from error


def profiles_in_use(state_dir: Path) -> Path:
    """Where the profiles in use lie.

    Raises:
        BundleError: What is in use cannot be read.
    """
    in_use = read_in_use(state_dir)
    return profiles_dir(state_dir, BASE_SET if in_use is None else in_use.active.profiles)
