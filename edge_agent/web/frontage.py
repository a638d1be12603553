"""What one agent shows to people: its page, metrics and health on one port."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.profiles import ProfileStore
from edge_agent.config.settings import AgentSettings
from edge_agent.observe.health import HealthReport
from edge_agent.observe.http import HttpServer, endpoints
from edge_agent.web.app import PageParts, create_app
from edge_agent.web.board import Board
from edge_agent.web.extension import Extension
from edge_agent.web.facts import machine_facts
from edge_agent.web.gateway import AgentGateway
from edge_agent.web.live_frames import LiveFrames, Place
from edge_agent.web.spectrogram import SpectrogramPages
from edge_agent.web.views import MachineFacts
from edge_agent.web.watch import BoardLog, seen_window


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind the page.

    Attributes:
        registry: What /metrics shows.
        health: Every part's state.
        frames: Log-mel frames as they are computed.
        gateway: What the page asks of the agent; told the machines' facts.
        extensions: Alarms, commissioning, clips.
    """

    registry: CollectorRegistry
    health: Callable[[], HealthReport]
    frames: LiveFrames
    gateway: Callable[[Callable[[], tuple[MachineFacts, ...]]], AgentGateway]
    extensions: tuple[Extension, ...] = ()


class Frontage:
    """Board, log of changes and HTTP server of one agent.

    Args:
        settings: Where to listen, and which machines there are.
        environ: For the token.
        store: Profiles.
        behind: What stands behind the page.

    Raises:
        ObserveError: The port cannot be listened on.
        SecretFileError: The token cannot be read.
    """

    def __init__(
        self, settings: AgentSettings, environ: Mapping[str, str], store: ProfileStore, behind: Behind
    ) -> None:
        self.board = Board(tuple(machine.id for machine in settings.machine))
        self._store = store
        self._facts = machine_facts(settings, store)
        self._places = _places(settings)
        self._machines = {place: machine for machine, place in self._places.items()}
        self._log = BoardLog(self.board)
        self._server: HttpServer | None = None
        http = settings.http
        if not http.enabled:
            return
        app = create_app(
            endpoints(behind.registry, behind.health),
            token=None if http.token_file is None else http.token_file.read(environ).get_secret_value(),
            page=PageParts(
                self.board,
                behind.gateway(lambda: self._facts),
                (*behind.extensions, SpectrogramPages(self.board, behind.frames, self._place_of)),
            ),
        )
        self._server = HttpServer(app, host=http.host, port=http.port)

    def start(self) -> None:
        """Begin to answer, and to keep the log of changes."""
        logging.getLogger("edge_agent").addHandler(self._log)
        if self._server is not None:
            self._server.start()

    def know(self, settings: AgentSettings) -> None:
        """Other machines, or other profiles, from now on."""
        self.board.knows(tuple(machine.id for machine in settings.machine))
        self._facts = machine_facts(settings, self._store)
        self._places = _places(settings)
        self._machines = {place: machine for machine, place in self._places.items()}

    def window(self, event: WindowEvent) -> None:
        """A window is finished."""
        self.board.window(seen_window(event, self._machines.get((event.source_id, event.channel))))

    def _place_of(self, machine: str) -> Place | None:
        return self._places.get(machine)

    def stop(self) -> None:
        """Answer no more."""
        logging.getLogger("edge_agent").removeHandler(self._log)
        if self._server is not None:
            self._server.stop()


def _places(settings: AgentSettings) -> dict[str, Place]:
    """Where each configured machine is heard; a channel that is routed by its sound is nobody's place."""
    configured = {machine.id for machine in settings.machine}
    return {
        channel.machine: (source.id, channel.index)
        for source in settings.source
        for channel in source.channel
        if channel.machine in configured
    }
