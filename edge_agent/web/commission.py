"""Commissioning from the page: start, watch the meter, read the verdict, take it or leave it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from edge_agent.commissioning.items import Item
from edge_agent.commissioning.lesson import Lesson
from edge_agent.commissioning.run import CommissioningRun, Note, Phase
from edge_agent.detection.features import Recording
from edge_agent.detection.profile import Profile
from edge_agent.errors import CommandError
from edge_agent.web.errors import WebError
from edge_agent.web.requests import NO_STORE, body_of
from edge_agent.web.views import Json

_MAX_NOTES: Final = 40
_MAX_MINUTES: Final = 240.0
_FORGOTTEN_AFTER_S: Final = 900.0
"""A verdict that nobody took for so long is discarded: the sound it rests on takes memory."""


class Ear(Protocol):
    """What a machine's channel hears, see `commissioning.tap.Tap`."""

    def take(self, timeout_s: float) -> Item | None:
        """The next item; None where there is none in time."""
        ...


class Teacher(Protocol):
    """What commissioning takes of the agent; raises `CommandError` where it cannot."""

    def listen(self, machine: str) -> Ear:
        """Begin to hear a machine's channel."""
        ...

    def leave(self, ear: Ear) -> None:
        """Hear it no more."""
        ...

    def lesson(self, machine: str) -> Lesson:
        """What the machine is to be learnt with."""
        ...

    def save(self, profile: Profile, recordings: Sequence[Recording], lesson: Lesson) -> None:
        """Put a profile in use, with the sound that it rests on."""
        ...

    def describe(self, profile: Profile) -> list[str]:
        """What was found, in plain words."""
        ...

    def frozen(self, machine: str) -> str | None:
        """Why nothing may be learnt now; None where it may."""
        ...


@dataclass(slots=True)
class _Session:
    run: CommissioningRun
    ear: Ear
    lesson: Lesson
    lock: threading.Lock = field(default_factory=threading.Lock)
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=_MAX_NOTES))
    ended_s: float | None = None
    over: threading.Event = field(default_factory=threading.Event)


class CommissionPages:
    """Routes and changes of commissioning; one run per machine at a time, each on a thread of its own.

    Args:
        teacher: The agent.
        now_s: Monotonic time.
    """

    def __init__(self, teacher: Teacher, now_s: Callable[[], float] = time.monotonic) -> None:
        self._teacher = teacher
        self._now_s = now_s
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def routes(self) -> list[BaseRoute]:
        """The routes."""
        path = "/api/machines/{machine}/commission"

        def standing(request: Request) -> Response:
            return JSONResponse(self.standing(request.path_params["machine"]), headers=NO_STORE)

        async def step(request: Request) -> Response:
            body = await body_of(request)
            machine = request.path_params["machine"]
            return JSONResponse(await run_in_threadpool(self.step, machine, body), headers=NO_STORE)

        return [Route(path, standing), Route(path, step, methods=["POST"])]

    def changes(self, _seen: dict[str, int]) -> dict[str, Any]:
        """Every run that listens, once a second: its meter moves all the time."""
        with self._lock:
            names = list(self._sessions)
        return {"commissions": [self.standing(name) for name in names]} if names else {}

    def standing(self, machine: str) -> Json:
        """Where a machine's commissioning stands; `phase` is null where there is none."""
        with self._lock:
            session = self._sessions.get(machine)
        if session is None:
            return {"machine": machine, "phase": None}
        with session.lock:
            run, progress = session.run, session.run.progress
            return {
                "machine": machine,
                "phase": progress.phase.value,
                "heard_s": round(progress.heard_s, 1),
                "wanted_s": progress.wanted_s,
                "windows": progress.windows,
                "left_out": dict(progress.left_out),
                "rms_dbfs": None if progress.level is None else progress.level.rms_dbfs,
                "peak_dbfs": None if progress.level is None else progress.level.peak_dbfs,
                "source": None if progress.source is None else progress.source.state,
                "problem": progress.problem,
                "notes": [{"kind": note.kind.value, "text": note.text} for note in session.notes],
                "refusal": run.refusal,
                "verdict": [] if run.profile is None else self._teacher.describe(run.profile),
            }

    def step(self, machine: str, body: Json) -> Json:
        """Take one step: `start`, `conclude`, `go_on`, `accept` or `discard`.

        Raises:
            WebError: There is no such step now.
        """
        action = body.get("action")
        if action == "start":
            self._start(machine, _minutes(body), body.get("state"))
            return self.standing(machine)
        with self._lock:
            session = self._sessions.get(machine)
        if session is None:
            raise WebError(409, f"{machine} is not being commissioned")
        with session.lock:
            phase = session.run.phase
            if action == "discard" and phase is not Phase.ACCEPTED:
                session.run.discard()
                self._end(machine, session)
            elif action == "conclude" and phase is Phase.LISTENING:
                session.notes.extend(session.run.conclude())
                session.ended_s = self._now_s()
            elif action == "go_on" and phase in (Phase.LEARNT, Phase.REFUSED):
                session.run.go_on(60.0 * _minutes(body))
                session.ended_s = None
            elif action == "accept" and phase is Phase.LEARNT:
                self._accept(machine, session)
            else:
                raise WebError(409, f"{str(action)[:40]!r} makes no sense while it is {phase.value}")
        return self.standing(machine)

    def close(self) -> None:
        """Forget every run; the agent ends."""
        with self._lock:
            sessions = list(self._sessions.items())
        for machine, session in sessions:
            self._end(machine, session)

    def _start(self, machine: str, minutes: float, state: object) -> None:
        if state is not None and not (isinstance(state, str) and state.isidentifier() and len(state) <= 64):
            raise WebError(400, "state must be a name of letters, digits and _")
        frozen = self._teacher.frozen(machine)
        if frozen is not None:
            raise WebError(409, frozen)
        with self._lock:
            if machine in self._sessions:
                raise WebError(409, f"{machine} is being commissioned already")
            try:
                lesson = self._teacher.lesson(machine)
                ear = self._teacher.listen(machine)
            except CommandError as error:
                raise WebError(409, str(error)) from None
            run = CommissioningRun(lesson.learn, wanted_s=60.0 * minutes, state=state)
            session = self._sessions[machine] = _Session(run, ear, lesson)
        threading.Thread(
            target=self._listen, args=(machine, session), name=f"commission-{machine}", daemon=True
        ).start()

    def _listen(self, machine: str, session: _Session) -> None:
        while not session.over.is_set():
            item = session.ear.take(0.5)
            with session.lock:
                if item is not None:
                    session.notes.extend(session.run.take(item))
                if session.ended_s is None and session.run.phase in (Phase.LEARNT, Phase.REFUSED):
                    session.ended_s = self._now_s()
                waits = session.ended_s is not None and self._now_s() - session.ended_s > _FORGOTTEN_AFTER_S
                if waits and session.run.phase in (Phase.LEARNT, Phase.REFUSED):
                    session.run.discard()
                    self._end(machine, session)

    def _accept(self, machine: str, session: _Session) -> None:
        profile, recordings = session.run.accept()
        self._end(machine, session)
        try:
            self._teacher.save(profile, recordings, session.lesson)
        except CommandError as error:
            raise WebError(500, str(error)) from None

    def _end(self, machine: str, session: _Session) -> None:
        session.over.set()
        self._teacher.leave(session.ear)
        with self._lock:
            self._sessions.pop(machine, None)


def _minutes(body: Json) -> float:
    minutes = body.get("minutes", 10)
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= _MAX_MINUTES:
        raise WebError(400, f"minutes must be a number above 0 and at most {_MAX_MINUTES:g}")
    return float(minutes)
