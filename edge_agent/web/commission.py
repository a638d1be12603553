"""Commissioning from the page: start, watch the meter, read the verdict, take it or leave it."""

from __future__ import annotations

import json
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

from edge_agent.commissioning.items import Item, SourceStatus
from edge_agent.commissioning.lesson import Lesson
from edge_agent.commissioning.run import CommissioningRun, Note, Phase
from edge_agent.commissioning.withhold import Withhold
from edge_agent.detection.features import Recording
from edge_agent.detection.profile import Profile
from edge_agent.errors import CommandError
from edge_agent.web.errors import WebError
from edge_agent.web.requests import NO_STORE, body_of
from edge_agent.web.views import Json

_MAX_NOTES: Final = 40
_MAX_MINUTES: Final = 240.0
LEARNING: Final = "learning"
"""A phase of its own while a fit is under way: it takes seconds."""
STOPPED: Final = "stopped"
"""... and once the machine went into alarm: nothing is kept, and a person has to see it."""
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

    def withhold(self) -> Withhold:
        """Which windows are not kept."""
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

    def status(self, ear: Ear) -> SourceStatus | None:
        """How the source does that is heard; None where that is not known."""
        ...


@dataclass(slots=True)
class _Session:
    """One run. Under its lock a fit may take seconds: `shown` is read without."""

    run: CommissioningRun
    ear: Ear
    lesson: Lesson
    shown: Json
    lock: threading.Lock = field(default_factory=threading.Lock)
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=_MAX_NOTES))
    ended_s: float | None = None
    stopped: str = ""
    verdict: tuple[Profile, list[str]] | None = None
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

    def changes(self, seen: dict[str, int]) -> dict[str, Any]:
        """Every run there is where one moved, as a meter does all the time; once none of them, where the last ended."""
        with self._lock:
            standings = [session.shown for session in self._sessions.values()]
        now = hash(json.dumps(standings)) if standings else 0
        if seen.get("commissions", 0) == now:
            return {}
        seen["commissions"] = now
        return {"commissions": standings}

    def standing(self, machine: str) -> Json:
        """Where a machine's commissioning stands; `phase` is null where there is none."""
        with self._lock:
            session = self._sessions.get(machine)
        return {"machine": machine, "phase": None} if session is None else session.shown

    def step(self, machine: str, body: Json) -> Json:
        """Take one step: `start`, `conclude`, `go_on`, `accept` or `discard`.

        Raises:
            WebError: There is no such step now, or it failed.
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
            if session.over.is_set():  # by somebody else, while this waited
                raise WebError(409, f"{machine} is not being commissioned any more")
            phase = session.run.phase
            if action == "discard" and phase is not Phase.ACCEPTED:
                session.run.discard()
                self._end(machine, session)
            elif action == "conclude" and phase is Phase.LISTENING:
                session.shown = {**session.shown, "phase": LEARNING}
                session.notes.extend(session.run.conclude())
                session.ended_s = self._now_s()
            elif action == "go_on" and phase in (Phase.LEARNT, Phase.REFUSED):
                session.run.go_on(60.0 * _minutes(body))
                session.ended_s = None
            elif action == "accept" and phase is Phase.LEARNT:
                self._accept(machine, session)
            else:
                said = STOPPED if session.stopped else phase.value
                raise WebError(409, f"{str(action)[:40]!r} makes no sense while it is {said}")
            self._show(machine, session)
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
            run = CommissioningRun(
                lesson.learn, wanted_s=60.0 * minutes, state=state, withhold=self._teacher.withhold()
            )
            session = self._sessions[machine] = _Session(run, ear, lesson, {})
            self._show(machine, session)
        threading.Thread(
            target=self._listen, args=(machine, session), name=f"commission-{machine}", daemon=True
        ).start()

    def _listen(self, machine: str, session: _Session) -> None:
        while not session.over.is_set():
            item = session.ear.take(0.5)
            with session.lock:
                if session.run.phase is Phase.LISTENING:
                    self._stop_in_alarm(machine, session)
                    self._look_at_source(session)
                if item is not None:
                    session.notes.extend(session.run.take(item))
                if session.ended_s is None and session.run.phase is not Phase.LISTENING:
                    session.ended_s = self._now_s()
                if session.ended_s is not None and self._now_s() - session.ended_s > _FORGOTTEN_AFTER_S:
                    if session.run.phase is not Phase.ACCEPTED:
                        session.run.discard()
                    self._end(machine, session)
                self._show(machine, session)

    def _look_at_source(self, session: _Session) -> None:
        """Told when it goes or comes back; how long it has been away is no news."""
        status, known = self._teacher.status(session.ear), session.run.progress.source
        if status is not None and status.state != (None if known is None else known.state):
            if known is not None or status.state != "up":
                session.notes.extend(session.run.take(status))
            else:
                session.run.take(status)

    def _stop_in_alarm(self, machine: str, session: _Session) -> bool:
        """What was heard up to an alarm is what raised it: none of it is kept, and a person is told."""
        frozen = self._teacher.frozen(machine)
        if frozen is None or session.stopped:
            return bool(session.stopped)
        session.stopped = f"{frozen}. What was heard so far was thrown away; begin again when it runs well."
        session.run.discard()
        self._teacher.leave(session.ear)
        return True

    def _accept(self, machine: str, session: _Session) -> None:
        if self._stop_in_alarm(machine, session):
            self._show(machine, session)
            raise WebError(409, session.stopped)
        profile, recordings = session.run.accept()
        try:
            self._teacher.save(profile, recordings, session.lesson)
        except CommandError as error:
            session.run.take_back()
            raise WebError(500, f"{error}; what was learnt is still here, try again") from None
        self._end(machine, session)

    def _show(self, machine: str, session: _Session) -> None:
        """What pages are told from now on; with the session's lock held, or before anybody else knows of it."""
        run, progress = session.run, session.run.progress
        profile, source = run.profile, progress.source
        level = None if source is not None and source.state == "down" else progress.level  # not the last there was
        if profile is None:
            session.verdict = None
        elif session.verdict is None or session.verdict[0] is not profile:
            lines = self._teacher.describe(profile)
            session.verdict = profile, [*lines, run.withheld] if run.withheld else lines
        session.shown = {
            "machine": machine,
            "phase": STOPPED if session.stopped else progress.phase.value,
            "heard_s": round(progress.heard_s, 1),
            "wanted_s": progress.wanted_s,
            "windows": progress.windows,
            "left_out": dict(progress.left_out),
            "rms_dbfs": None if level is None else level.rms_dbfs,
            "peak_dbfs": None if level is None else level.peak_dbfs,
            "source": None if source is None else source.state,
            "problem": progress.problem,
            "notes": [{"kind": note.kind.value, "text": note.text} for note in session.notes],
            "refusal": session.stopped or run.refusal,
            "verdict": [] if session.verdict is None else session.verdict[1],
        }

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
