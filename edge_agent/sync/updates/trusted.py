"""The hub's repository as the gateway trusts it: by the root that the operator shipped, not by the hub."""

from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import TargetFile
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from edge_agent.inference.archive import MAX_ARCHIVE_BYTES
from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.target import TargetCustom, custom_of

MAX_ROOT_BYTES = 512 << 10
_CONFIG = UpdaterConfig(
    max_root_rotations=64,
    max_delegations=1,
    root_max_length=MAX_ROOT_BYTES,
    timestamp_max_length=16 << 10,
    snapshot_max_length=64 << 10,
    targets_max_length=2 << 20,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A bundle that the signed metadata vouches for.

    Attributes:
        path: Of the target.
        size_bytes: Of the archive.
        custom: Which bundle, for which agents.
    """

    path: str
    size_bytes: int
    custom: TargetCustom


class TrustedRepository:
    """What an approver signed, as of one moment.

    Metadata once seen is kept: an older one, a changed one and one that has run out are refused, whoever sends it.

    Args:
        directory: Where the metadata is kept, for this hub alone.
        root: The pinned root metadata, as the operator shipped it.
        url: `https://hub.example.org/api/v1/tuf`, without a slash at its end.
        fetcher: Fetches.

    Raises:
        UpdateError: The pinned root is no root, or the directory cannot be written.
    """

    def __init__(self, directory: Path, root: bytes, url: str, fetcher: FetcherInterface) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._updater = Updater(
                str(directory),
                f"{url}/metadata/",
                target_base_url=f"{url}/targets/",
                fetcher=fetcher,
                config=_CONFIG,
                bootstrap=root,
            )
        except RepositoryError as error:
            raise UpdateError(
                f"the pinned root cannot be used: {error}; ship the one of your hub again", lasting=False
            ) from error
        except OSError as error:
            raise UpdateError(
                f"{directory}: {error.strerror}; the metadata of updates cannot be kept", lasting=False
            ) from error

    def find(self, path: str) -> Offer:
        """A target that the current metadata has.

        Raises:
            UpdateError: There is none, the metadata is not to be trusted, or the hub cannot be reached.
        """
        target = self._target(path)
        if target.length > MAX_ARCHIVE_BYTES:
            raise UpdateError(f"target {path}: {target.length} bytes; at most {MAX_ARCHIVE_BYTES} are taken")
        return Offer(path, target.length, custom_of(target))

    def download(self, offer: Offer, into: Path) -> None:
        """Fetch an offer's archive and check its length and hash; nothing is left where that fails.

        Raises:
            UpdateError: It is another one than was signed, or cannot be fetched.
        """
        target = self._target(offer.path)
        try:
            if self._updater.find_cached_target(target, str(into)) is None:
                self._updater.download_target(target, str(into))
        except (RepositoryError, DownloadError) as error:
            into.unlink(missing_ok=True)
            raise UpdateError(f"target {offer.path}: {_reason(error)}", lasting=False) from error
        except OSError as error:
            into.unlink(missing_ok=True)
            raise UpdateError(f"{into}: {error.strerror}; the bundle cannot be kept", lasting=False) from error

    def _target(self, path: str) -> TargetFile:
        try:
            target = self._updater.get_targetinfo(path)
        except (RepositoryError, DownloadError) as error:
            raise UpdateError(f"metadata of the hub is refused: {_reason(error)}", lasting=False) from error
        except OSError as error:
            raise UpdateError(f"metadata of updates cannot be kept: {error.strerror}", lasting=False) from error
        if target is None:
            raise UpdateError(f"target {path} is not among those that an approver signed", lasting=False)
        return target


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
