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
    noted_ns: int | None  # when it was heard last; None for a former life
    active: bool
    suspect: bool
    rose_ns: int | None  # None where nobody heard it rise
    counts: bool = True


class PlantWatch:
    """Watches how the machines of one gateway rise together. Pure: time is handed in.

    A machine counts as rising a window before its own alarm would be raised, so that the event is told first and the
    machines' own alarms are never heard. One that was on already when it is heard again, after a restart or after its
    source was away, does not rise: nobody knows when it did.

    Args:
        rules: What counts.
        members: Who is part of an event that goes on after a restart.
        on: Whose alarm goes on after a restart.
    """

    def __init__(self, rules: PlantRules, members: Iterable[str] = (), on: Iterable[str] = ()) -> None:
        self._rules = rules
        self._members = set(members)
        self._machines = {
            name: _Seen(None, active=True, suspect=False, rose_ns=None) for name in self._members | set(on)
        }
        self._began_ns = 0
        self._failing_since_ns: int | None = None

    @property
    def members(self) -> frozenset[str]:
        """Who is part of the event; empty while there is none."""
        return frozenset(self._members)

    def update(self, machine: str, *, active: bool, suspect: bool, now_ns: int, counts: bool = True) -> frozenset[str]:
        """Take a machine's window.

        Args:
            machine: Whose.
            active: Whether its alarm's condition holds.
            suspect: Whether one more such window would raise it.
            now_ns: Time of the window.
            counts: False while a person has put its alarm aside: it is then neither part of "most" nor of "all".

        Returns:
            Who is part of the event after it; empty while there is none.
        """
        before = self._machines.get(machine)
        rises = active and (before is None or not before.active)
        rose_ns = now_ns if rises or before is None else before.rose_ns
        self._machines[machine] = _Seen(now_ns, active, suspect, rose_ns, counts)
        if not counts:
            self._members.discard(machine)
        for seen in self._machines.values():
            if seen.noted_ns is None:
                seen.noted_ns = now_ns
        heard = self._heard(now_ns)
        if self._members:
            self._go_on(heard, now_ns)
        elif active and self._rules.machines:
            rising = {name for name in heard if self._rises(name, now_ns)}
            if machine in rising and len(rising) >= self._needed(len(heard)):
                self._members, self._began_ns, self._failing_since_ns = rising, now_ns, None
        return self.members

    def forget(self, machine: str) -> None:
        """A machine was configured away."""
        self._machines.pop(machine, None)
        self._members.discard(machine)

    def clock_moved(self, by_ns: int) -> None:
        """Wall time was set anew: what is remembered of it moves along."""
        for seen in self._machines.values():
            seen.noted_ns = None if seen.noted_ns is None else seen.noted_ns + by_ns
            seen.rose_ns = None if seen.rose_ns is None else seen.rose_ns + by_ns
        self._began_ns += by_ns
        if self._failing_since_ns is not None:
            self._failing_since_ns += by_ns

    def _heard(self, now_ns: int) -> set[str]:
        """Machines that were not heard for long are no part of "most"."""
        reach_ns = max(self._within_ns(), _HEARD_WITHIN_NS)
        return {
            name
            for name, seen in self._machines.items()
            if seen.counts and seen.noted_ns is not None and now_ns - seen.noted_ns <= reach_ns
        }

    def _rises(self, name: str, now_ns: int) -> bool:
        seen = self._machines[name]
        if seen.active:
            return seen.rose_ns is not None and now_ns - seen.rose_ns <= self._within_ns()
        return seen.suspect

    def _go_on(self, heard: set[str], now_ns: int) -> None:
        young = now_ns - self._began_ns <= self._within_ns()
        if young:
            self._members |= {name for name in heard if self._rises(name, now_ns)}
        counted = [
            name
            for name in self._members & heard
            if self._machines[name].active or (young and self._machines[name].suspect)
        ]
        if 2 * len(counted) > len(heard):
            self._failing_since_ns = None
            return
        if self._failing_since_ns is None:
            self._failing_since_ns = now_ns
        # machines fall silent one after the other: those that are about to must not be raised for it
        if not counted or now_ns - self._failing_since_ns >= self._within_ns():
            self._members = set()

    def _needed(self, heard: int) -> int:
        return max(self._rules.machines, math.ceil(self._rules.share * heard))

    def _within_ns(self) -> int:
        return int(self._rules.within_s * NS_PER_S)
