"""When most machines rise at once, it is the plant and not the machines: one event instead of an alarm for each."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.alarms.delay import NS_PER_S

_HEARD_WITHIN_NS = 300 * NS_PER_S


@dataclass(frozen=True, slots=True)
class PlantRules:
    """What "most machines at once" means.

    Attributes:
        share: Part of the machines that are listened to.
        machines: ... and at least this many; 0 turns plant events off.
        within_s: How far apart they may rise, and how long the event may fail to hold before it ends.
    """

    share: float = 0.6
    machines: int = 3
    within_s: float = 120.0


@dataclass(slots=True)
class _Seen:
    noted_ns: int | None
    active: bool
    suspect: bool
    rose_ns: int


class PlantWatch:
    """Watches how the machines of one gateway rise together. Pure: time is handed in.

    A machine counts as rising a window before its own alarm would be raised, so that the event is told first and the
    machines' own alarms are never heard.

    Args:
        rules: What counts.
        members: Who is part of an event that goes on after a restart.
    """

    def __init__(self, rules: PlantRules, members: Iterable[str] = ()) -> None:
        self._rules = rules
        self._members = set(members)
        self._machines = {name: _Seen(None, active=True, suspect=False, rose_ns=0) for name in self._members}
        self._began_ns = 0
        self._failing_since_ns: int | None = None

    @property
    def members(self) -> frozenset[str]:
        """Who is part of the event; empty while there is none."""
        return frozenset(self._members)

    def update(self, machine: str, *, active: bool, suspect: bool, now_ns: int) -> frozenset[str]:
        """Take a machine's window.

        Args:
            machine: Whose.
            active: Whether its alarm's condition holds.
            suspect: Whether one more such window would raise it.
            now_ns: Time of the window.

        Returns:
            Who is part of the event after it; empty while there is none.
        """
        before = self._machines.get(machine)
        rose_ns = now_ns if before is None or (active and not before.active) else before.rose_ns
        self._machines[machine] = _Seen(now_ns, active, suspect, rose_ns)
        self._forget(now_ns)
        if self._members:
            self._go_on(now_ns)
        elif active and self._rules.machines:
            rising = {name for name in self._machines if self._rises(name, now_ns)}
            if machine in rising and len(rising) >= self._needed():
                self._members, self._began_ns, self._failing_since_ns = rising, now_ns, None
        return self.members

    def _forget(self, now_ns: int) -> None:
        """Machines that were not heard for long are no part of "most"."""
        for seen in self._machines.values():
            if seen.noted_ns is None:
                seen.noted_ns = now_ns
        reach_ns = max(self._within_ns(), _HEARD_WITHIN_NS)
        old = [name for name, seen in self._machines.items() if now_ns - (seen.noted_ns or 0) > reach_ns]
        for name in old:
            del self._machines[name]

    def _rises(self, name: str, now_ns: int) -> bool:
        seen = self._machines[name]
        if seen.active:
            return now_ns - seen.rose_ns <= self._within_ns()
        return seen.suspect

    def _go_on(self, now_ns: int) -> None:
        young = now_ns - self._began_ns <= self._within_ns()
        if young:
            self._members |= {name for name in self._machines if self._rises(name, now_ns)}
        counted = [
            name
            for name in self._members & self._machines.keys()
            if self._machines[name].active or (young and self._machines[name].suspect)
        ]
        if 2 * len(counted) > len(self._machines):
            self._failing_since_ns = None
            return
        if self._failing_since_ns is None:
            self._failing_since_ns = now_ns
        # machines fall silent one after the other: those that are about to must not be raised for it
        if not counted or now_ns - self._failing_since_ns >= self._within_ns():
            self._members = set()

    def _needed(self) -> int:
        return max(self._rules.machines, math.ceil(self._rules.share * len(self._machines)))

    def _within_ns(self) -> int:
        return int(self._rules.within_s * NS_PER_S)
