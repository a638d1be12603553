"""The hub that a gateway's sync is tried against: one that keeps the contract and nothing else, or the hub itself."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Protocol

from tests.clips.samples import ORIGIN
from tests.support.broker import free_port
from tests.support.contract_hub import KEY, ContractHub, Kept
from tests.support.hub_process import HubProcess
from tests.support.hub_state import state_of


class HubSide(Protocol):
    """A hub that goes away and comes back with what it had."""

    key: str
    """The gateway's."""
    port: int

    def go(self) -> None:
        """End, as a power cut would have it."""

    def come(self) -> None:
        """Answer again, on the same port."""

    def clips(self) -> Set[str]:
        """Ids of clips that are listed."""

    def files(self) -> Mapping[str, bytes]:
        """Contents by their SHA-256."""

    def events(self) -> Set[str]:
        """Ids."""


class ContractSide:
    """A hub in this process."""

    def __init__(self) -> None:
        self.key = KEY
        self._kept = Kept()
        self._hub = ContractHub(self._kept)
        self.port = self._hub.port

    def go(self) -> None:
        """Hang up."""
        self._hub.close()

    def come(self) -> None:
        """Answer again."""
        self._hub = ContractHub(self._kept, self.port)

    def clips(self) -> Set[str]:
        """Ids."""
        return self._kept.records.keys()

    def files(self) -> Mapping[str, bytes]:
        """By SHA-256."""
        return self._kept.files

    def events(self) -> Set[str]:
        """Ids."""
        return self._kept.events.keys()


class RealSide:
    """`training-hub serve`, on SQLite and a folder; it goes by `kill -9`.

    Args:
        directory: For its state.
    """

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._hub = HubProcess(directory, environ={"TRAINING_HUB__SERVER__PORT": str(self.port)})
        try:
            self._hub.start()
            self.key = self._hub.gateway_key(ORIGIN.site, ORIGIN.gateway)
        except BaseException:
            self._hub.end()
            raise

    def go(self) -> None:
        """Kill it."""
        self._hub.end()

    def come(self) -> None:
        """Start it anew."""
        self._hub.start()

    def clips(self) -> Set[str]:
        """Ids."""
        return state_of(self._hub).clips.keys()

    def files(self) -> Mapping[str, bytes]:
        """By SHA-256."""
        return state_of(self._hub).files

    def events(self) -> Set[str]:
        """Ids."""
        return state_of(self._hub).events
