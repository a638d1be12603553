"""Everything that may be asked of a running agent, whichever way it comes."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_agent.agent.alarming.desk import AlarmDesk
from edge_agent.agent.asking.audit import audit
from edge_agent.agent.asking.commander import Commander
from edge_agent.agent.asking.control_socket import ControlSocket
from edge_agent.agent.asking.mailbox import Mailbox
from edge_agent.agent.telling.home_assistant import HomeAssistantWord
from edge_agent.agent.telling.last_words import LastWords
from edge_agent.agent.wiring import command_rules
from edge_agent.capture.clock import Clock
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.message import MessageFactory
from edge_agent.delivery.signals import Letter
from edge_agent.delivery.topics import Topics
from edge_agent.errors import CommandError
from edge_agent.observe.metrics import Metrics

_log = logging.getLogger(__name__)


class Control:
    """Commander, socket and mailbox of one agent.

    Args:
        settings: What is allowed.
        state_dir: Where the socket and the audit log lie; it exists.
        topics: Where commands are expected.
        messages: Makes events.
        alarms: What is acted on.
        reload: Asks for the configuration on disk.
        describe: Makes what Home Assistant is told, where it is told anything.
        metrics: What is counted.
        clock: Time.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        state_dir: Path,
        topics: Topics,
        messages: MessageFactory,
        alarms: AlarmDesk,
        reload: Callable[[], None],
        describe: Callable[[], Sequence[Letter]],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.commander = Commander(
            command_rules(settings),
            alarms=alarms,
            reload=reload,
            audit=audit(state_dir),
            metrics=metrics,
            clock=clock,
        )
        self._socket: ControlSocket | None = None
        try:
            self._socket = ControlSocket(state_dir, self.commander.handle)
        except CommandError as error:
            # a read-only disk, for one: machines are listened to all the same
            _log.error("commands at the gateway itself are not possible: %s", error)
        home_assistant = settings.mqtt.home_assistant
        self.mailbox = Mailbox(
            topics,
            self.commander.handle if settings.mqtt.commands.allowed else None,
            HomeAssistantWord(state_dir, describe if home_assistant.enabled else None, home_assistant.prefix),
            LastWords(alarms, topics, messages, clock, all_machines=home_assistant.enabled),
        )

    def start(self) -> None:
        """Begin to answer."""
        if self._socket is not None:
            self._socket.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._socket is not None:
            self._socket.stop()
