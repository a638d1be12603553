"""The hub as those who sign talk to it: from their own machine, with their own API key."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root, Targets

from edge_agent.sync.wire import API_PREFIX
from training_hub.rollout import signing
from training_hub.rollout.errors import RolloutError

M = TypeVar("M", bound=BaseModel)

_ANSWER_S = 300.0
_MAX_KEY_BYTES = 4096


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Signing(_Loose):
    """What somebody who signs begins with."""

    root: str | None
    targets: str | None
    online_keys: dict[str, dict[str, Any]]
    fresh_online_keys: dict[str, dict[str, Any]] | None = None

    def current_root(self) -> Metadata[Root]:
        """The root in use; raises `RolloutError` where there is none."""
        return signing.parse(self._of(self.root), Root, name="the hub's root")

    def current_targets(self) -> Metadata[Targets]:
        """The targets in use; raises `RolloutError` where there are none."""
        return signing.parse(self._of(self.targets), Targets, name="the hub's targets")

    def online(self, *, fresh: bool = False) -> dict[str, Key]:
        """Public keys of the hub's roles."""
        keys = self.fresh_online_keys if fresh else self.online_keys
        return {role: key_of(told) for role, told in (keys or {}).items()}

    @staticmethod
    def _of(metadata: str | None) -> bytes:
        if metadata is None:
            raise RolloutError("this hub has no root yet; an administrator runs: training-hub publish init")
        return metadata.encode()


class Candidate(_Loose):
    """A bundle that may be signed, as the hub tells of it."""

    id: str
    name: str
    version: str
    sha256: str
    state: str
    gate: str = "none"


def key_of(told: dict[str, Any]) -> Key:
    """A public key as it is told.

    Raises:
        RolloutError: It is none.
    """
    try:
        return Key.from_dict(str(told["keyid"]), {name: value for name, value in told.items() if name != "keyid"})
    except (KeyError, ValueError, TypeError) as error:
        raise RolloutError(f"no public key: {error}") from error


class HubClient:
    """Asks the hub. A context manager.

    Args:
        url: Of the hub, such as `https://hub.example.org`.
        key_file: File that holds the person's API key.
        ca_file: Certificates to trust; the system's by default.

    Raises:
        RolloutError: The key cannot be read.
    """

    def __init__(self, url: str, key_file: Path, ca_file: Path | None = None) -> None:
        try:
            with key_file.open() as file:
                key = file.read(_MAX_KEY_BYTES).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise RolloutError(f"{key_file}: the API key cannot be read ({error})") from error
        self._client = httpx.Client(
            base_url=url.rstrip("/") + API_PREFIX,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(_ANSWER_S, connect=15.0),
            verify=True if ca_file is None else str(ca_file),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def signing(self, *, fresh_online_keys: bool = False) -> Signing:
        """Metadata and keys in use."""
        answer = self._ask("GET", "/tuf/signing", params={"fresh_online_keys": fresh_online_keys})
        return self._model(Signing, answer)

    def candidate(self, bundle_id: str) -> Candidate:
        """A bundle that may be signed."""
        return self._model(Candidate, self._ask("GET", f"/tuf/candidates/{bundle_id}"))

    def archive(self, bundle_id: str) -> bytes:
        """Its archive."""
        return self._ask("GET", f"/tuf/candidates/{bundle_id}/archive").content

    def add_bundle(self, archive: bytes) -> Candidate:
        """Give the hub a bundle that was made elsewhere."""
        answer = self._ask("POST", "/bundles", content=archive, headers={"Content-Type": "application/x-tar"})
        return self._model(Candidate, answer)

    def install(self, root: bytes, targets: bytes) -> None:
        """Give the hub its first root."""
        self._ask("POST", "/tuf/root/first", json={"root": root.decode(), "targets": targets.decode()})

    def send_root(self, root: bytes) -> None:
        """Give the hub its next root."""
        self._ask("POST", "/tuf/root", json={"metadata": root.decode()})

    def send_targets(self, targets: bytes) -> None:
        """Give the hub what an approver signed."""
        self._ask("POST", "/tuf/targets", json={"metadata": targets.decode()})

    def status(self) -> str:
        """How the metadata stands, as JSON."""
        return self._ask("GET", "/tuf/status").text

    def _ask(self, method: str, path: str, **body: Any) -> httpx.Response:  # noqa: ANN401  # as httpx takes it
        try:
            answer = self._client.request(method, path, **body)
        except httpx.HTTPError as error:
            raise RolloutError(f"the hub cannot be reached: {error}") from error
        if not answer.is_success:
            raise RolloutError(f"the hub answers {answer.status_code}: {_detail(answer)}")
        return answer

    @staticmethod
    def _model(kind: type[M], answer: httpx.Response) -> M:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise RolloutError(
                f"the hub's answer is not understood ({error.error_count()} flaws); same version?"
            ) from error


def _detail(answer: httpx.Response) -> str:
    try:
        told = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(told.get("detail", told) if isinstance(told, dict) else told)[:1000]
