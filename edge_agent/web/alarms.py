"""Alarms on the page: what stands, what happened, and what people do about it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from edge_agent.alarms.alarm import Alarm
from edge_agent.alarms.history import HistoryEntry
from edge_agent.alarms.states import State
from edge_agent.delivery.commands import CommandReply
from edge_agent.web.errors import WebError
from edge_agent.web.requests import NO_STORE, body_of
from edge_agent.web.views import Json

_NS_PER_S = 1_000_000_000
_HISTORY_LINES = 200
_FIELDS = ("machine", "kind", "fault", "alarm", "for_s", "reason", "label", "operator")

Perform = Callable[[str, bytes, str], CommandReply]
"""Carries out a command: its verb, its JSON, and what is known of the caller."""


class AlarmPages:
    """Routes and changes of alarms.

    Args:
        alarms: Every alarm that ever was.
        history: What happened to them, oldest first.
        perform: Carries out a command; the same path as commands over MQTT, with its audit log.
        now: RFC 3339 of this moment.
        clips_of: Ids of the clips kept of each of some episodes.
    """

    def __init__(
        self,
        alarms: Callable[[], Iterable[Alarm]],
        history: Callable[[], Sequence[HistoryEntry]],
        perform: Perform,
        now: Callable[[], str],
        clips_of: Callable[[Collection[str]], Mapping[str, Sequence[str]]] = lambda _episodes: {},
    ) -> None:
        self._alarms = alarms
        self._history = history
        self._perform = perform
        self._now = now
        self._clips_of = clips_of

    def routes(self) -> list[BaseRoute]:
        """The routes."""

        def listed(_request: Request) -> Response:
            lines = [_line(entry) for entry in reversed(self._history()[-_HISTORY_LINES:])]
            return JSONResponse({"alarms": self._standing(), "history": lines}, headers=NO_STORE)

        async def command(request: Request) -> Response:
            body = await body_of(request)
            unknown = sorted(set(body) - set(_FIELDS))
            if unknown:
                raise WebError(400, f"unknown: {', '.join(unknown)[:200]}")
            asked = {name: value for name, value in body.items() if value is not None}
            asked |= {"id": secrets.token_urlsafe(16), "issued_at": self._now()}
            caller = request.client.host if request.client is not None else ""
            verb = request.path_params["verb"]
            content = json.dumps(asked, allow_nan=False).encode()
            reply = await run_in_threadpool(self._perform, verb, content, f"page at {caller}")
            return JSONResponse(
                {"outcome": reply.outcome, "text": reply.text, "state": reply.state, "error": reply.text},
                200 if reply.outcome == "done" else 409,
                headers=NO_STORE,
            )

        return [Route("/api/alarms", listed), Route("/api/commands/{verb}", command, methods=["POST"])]

    def changes(self, seen: dict[str, int]) -> dict[str, Any]:
        """The alarms, where they are not as a watcher saw them last."""
        standing = self._standing()
        now = hash(json.dumps(standing))
        if seen.get("alarms") == now:
            return {}
        seen["alarms"] = now
        return {"alarms": standing}

    def _standing(self) -> list[Json]:
        standing = [alarm for alarm in self._alarms() if alarm.state is not State.NORMAL]
        clips = self._clips_of([alarm.id for alarm in standing])
        return [_alarm(alarm, clips.get(alarm.id, ())) for alarm in standing]


def _alarm(alarm: Alarm, clips: Sequence[str]) -> Json:
    return {
        "machine": alarm.key.machine,
        "kind": alarm.key.kind.value,
        "fault": alarm.key.fault,
        "state": alarm.state.value,
        "active": alarm.active,
        "id": alarm.id,
        "severity": alarm.severity.word,
        "text": alarm.text,
        "raised_s": _seconds(alarm.raised_ns),
        "changed_s": _seconds(alarm.changed_ns),
        "shelved_until_s": _seconds(alarm.shelved_until_ns),
        "acknowledged_by": alarm.acknowledged_by,
        "reason": alarm.reason,
        "label": alarm.label,
        "machines": list(alarm.machines),
        "clips": list(clips),
    }


def _line(entry: HistoryEntry) -> Json:
    return {
        "at_s": entry.at_ns / _NS_PER_S,
        "machine": entry.machine or "the plant",
        "kind": entry.kind.value,
        "fault": entry.fault,
        "event": None if entry.event is None else entry.event.value,
        "state": entry.state.value,
        "operator": entry.operator,
        "text": entry.text,
    }


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns / _NS_PER_S
