"""Which version of MQTT a broker is spoken to in. Pure: it is told what came of each attempt."""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal


class _Stage(Enum):
    FIVE = auto()
    """MQTT 5 is tried, or serves."""
    TRIAL = auto()
    """Hung up on in MQTT 5: is it 3.1.1 that the broker wants, or was it just not there?"""
    FIVE_AGAIN = auto()
    """It answers in 3.1.1, so it is there: does it still hang up on MQTT 5?"""
    OLD = auto()
    """It knows 3.1.1 only."""


class Dialect:
    """MQTT 5 first, and 3.1.1 where the broker refuses 5 or hangs up on it, and on 5 alone.

    A broker that hangs up once, because it is being stopped or started, is no reason to do without what only MQTT 5
    has: a will with a delay, expiry, and refusals that can be seen. After a loss MQTT 5 is tried anew.

    Args:
        protocol: As the settings say; anything but `auto` stays.
    """

    def __init__(self, protocol: Literal["auto", "5", "3.1.1"]) -> None:
        self._fixed = protocol != "auto"
        self._stage = _Stage.OLD if protocol == "3.1.1" else _Stage.FIVE

    @property
    def mqtt5(self) -> bool:
        """Whether the next attempt is made in MQTT 5."""
        return self._stage in (_Stage.FIVE, _Stage.FIVE_AGAIN)

    @property
    def trial(self) -> bool:
        """Whether the next connection is only to see whether the broker answers."""
        return self._stage is _Stage.TRIAL

    def hung_up(self) -> bool:
        """The broker ended the connection before it answered; True where the other version is to be tried at once."""
        following = {_Stage.FIVE: _Stage.TRIAL, _Stage.FIVE_AGAIN: _Stage.OLD}
        return self._go(following.get(self._stage, _Stage.FIVE))

    def refused(self) -> bool:
        """The broker said that it does not know this version; True where the other one is to be tried at once."""
        return self._go(_Stage.OLD if self.mqtt5 else _Stage.FIVE)

    def answered(self) -> None:
        """The trial succeeded."""
        self._go(_Stage.FIVE_AGAIN)

    def served(self) -> None:
        """A connection served, and is over."""
        self._go(_Stage.FIVE)

    def _go(self, stage: _Stage) -> bool:
        if self._fixed:
            return False
        self._stage = stage
        return stage is not _Stage.FIVE
