"""Hears brokers beside the web server."""

from collections.abc import Mapping, Sequence

from training_hub.companions import Companion
from training_hub.intake.mqtt import BrokerListener
from training_hub.parts import HubParts


class Listeners:
    """One listener for each broker of the settings."""

    name = "the listeners at brokers"

    def __init__(self, listeners: Sequence[BrokerListener]) -> None:
        self._listeners = listeners

    def start(self) -> None:
        """Connect."""
        for listener in self._listeners:
            listener.start()

    def stop(self) -> None:
        """Leave."""
        for listener in self._listeners:
            listener.stop()

    def alive(self) -> bool:
        """Whether all work messages off."""
        return all(listener.alive() for listener in self._listeners)


def make(parts: HubParts, environ: Mapping[str, str], role: str = "serve") -> Companion | None:
    """None without a broker in the settings."""
    found = [BrokerListener(parts, broker, environ, role=role) for broker in parts.settings.mqtt]
    return Listeners(found) if found else None
