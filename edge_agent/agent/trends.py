"""How each machine does over days, kept over restarts in `<state>/health.json`."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from edge_agent.detection.assessment import AssessorMemory, HealthAssessor
from edge_agent.durable import write_whole
from edge_agent.record import Record
from edge_agent.settings.base import ID_PATTERN

_log = logging.getLogger(__name__)

MAX_BYTES = 8 << 20
_KEEP_EVERY_S = 600.0
_MAX_MACHINES = 512
_MAX_POINTS = 1000

_TimeNs = Annotated[int, Field(ge=0, lt=1 << 63)]


class _Machine(Record):
    commissioned_ns: _TimeNs
    score: Annotated[float, Field(ge=-1e6, le=1e6)] | None
    windows: Annotated[int, Field(ge=0, lt=1 << 53)]
    hourly: Annotated[tuple[tuple[_TimeNs, Annotated[float, Field(ge=0, le=1)]], ...], Field(max_length=_MAX_POINTS)]


class _File(Record):
    version: Literal[1] = 1
    machines: Annotated[
        dict[Annotated[str, Field(pattern=ID_PATTERN)], _Machine], Field(default_factory=dict, max_length=_MAX_MACHINES)
    ]


class Trends:
    """An assessor for each machine, which begins anew when the machine is commissioned anew. One thread uses it.

    Args:
        path: The file; None to forget everything at the end. One that cannot be used is logged, and replaced.
        commissioned: See `commissioned`.
    """

    def __init__(self, path: Path | None, commissioned: Mapping[str, int] = MappingProxyType({})) -> None:
        self._path = path
        self._stored: dict[str, _Machine] = {} if path is None else dict(_read(path).machines)
        self._assessors: dict[str, HealthAssessor] = {}
        self._commissioned = commissioned
        self._failing = False
        self._kept_s = 0.0

    def commissioned(self, machines: Mapping[str, int]) -> None:
        """When the profile of each machine in use was made, wall time in nanoseconds: health is told against it."""
        changed = [name for name in self._assessors if self._commissioned.get(name) != machines.get(name)]
        for name in changed:
            del self._assessors[name]
        self._commissioned = dict(machines)

    def assessor(self, machine_id: str) -> HealthAssessor:
        """The machine's assessor, as a former life of the agent left it."""
        known = self._assessors.get(machine_id)
        if known is None:
            known = self._assessors[machine_id] = HealthAssessor(memory=self._memory(machine_id))
        return known

    def keep(self, *, now_s: float) -> None:
        """Save what is known, every ten minutes of monotonic time at most."""
        if now_s - self._kept_s >= _KEEP_EVERY_S:
            self._kept_s = now_s
            self.save()

    def save(self) -> None:
        """Keep what is known; where the disk refuses, that is logged once, and the next `save` tries again."""
        if self._path is None or not self._assessors:
            return
        machines = {name: each for name, each in self._stored.items() if name in self._commissioned}
        machines |= {name: self._of(name, each.memory) for name, each in self._assessors.items()}
        try:
            write_whole(self._path, _File(machines=machines).model_dump_json().encode())
        except OSError as error:
            if not self._failing:
                _log.warning("%s cannot be written (%s): a restart would forget trends", self._path, error.strerror)
            self._failing = True
            return
        self._stored, self._failing = machines, False

    def _memory(self, machine_id: str) -> AssessorMemory | None:
        stored = self._stored.get(machine_id)
        if stored is None or stored.commissioned_ns != self._commissioned.get(machine_id, 0):
            return None
        in_order = tuple(sorted(stored.hourly))
        return AssessorMemory(stored.score, stored.windows, in_order)

    def _of(self, machine_id: str, memory: AssessorMemory) -> _Machine:
        return _Machine(
            commissioned_ns=self._commissioned.get(machine_id, 0),
            score=memory.score,
            windows=memory.windows,
            hourly=memory.hourly[-_MAX_POINTS:],
        )


def _read(path: Path) -> _File:
    """The file, or an empty one where there is none that can be used."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return _File(machines={})
    except OSError as error:
        _log.warning("%s cannot be read (%s): trends begin anew", path, error.strerror)
        return _File(machines={})
    if len(content) > MAX_BYTES:
        _log.warning("%s is larger than %d bytes: trends begin anew", path, MAX_BYTES)
        return _File(machines={})
    try:
        return _File.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        _log.warning("%s: %s: %s: trends begin anew", path, where, first["msg"])
        return _File(machines={})
