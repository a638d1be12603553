"""Kept sound on the page: listen, have the next window kept, pin, label, delete."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from edge_agent.agent.clips.desk import ClipDesk, Person
from edge_agent.clips.errors import ClipError
from edge_agent.clips.frames import frames_of
from edge_agent.clips.picture import before_after_png
from edge_agent.clips.reasons import Dropped
from edge_agent.clips.recorder import Requested
from edge_agent.clips.row import ClipRow
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.errors import CommandError
from edge_agent.web.errors import WebError
from edge_agent.web.requests import NO_STORE, body_of
from edge_agent.web.views import Json

_SHOWN: Final = 50
_NAME_LETTERS: Final = 64
_LABEL_LETTERS: Final = 128
_ASKED_ANEW_AFTER_S: Final = 5.0
"""For so long the clips of the same episodes are not looked up again, however many pages are open."""
_WHY_NOT: Final = {
    Dropped.QUEUE_FULL: "the gateway has too much to do",
    Dropped.NO_AUDIO: "its sound was lost",
    Dropped.SPEECH: "somebody speaks in it, or it could not be screened for speech",
    Dropped.QUOTA: "there is no room, and nothing of less value to give up",
    Dropped.DISK_FULL: "the disk is full",
    Dropped.READ_ONLY: "the disk is read-only",
    Dropped.IO_ERROR: "the disk failed",
    Dropped.SHUTDOWN: "the agent ended before",
}
_NORMAL: Final = "normal"
_AUDIO: Final = "audio"


class ClipPages:
    """Routes of clips; every request opens the store anew, beside the writer.

    Args:
        open_store: Opens the store; raises `ClipError` where there is none.
        desk: Where people's acts go.
        now_s: Monotonic time.
    """

    def __init__(
        self, open_store: Callable[[], ClipStore], desk: ClipDesk, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._open_store = open_store
        self._desk = desk
        self._now_s = now_s
        self._lock = threading.Lock()
        self._asked: tuple[frozenset[str], float] = frozenset(), float("-inf")
        self._of_episodes: Mapping[str, Sequence[str]] = {}

    def routes(self) -> list[BaseRoute]:
        """The routes."""

        def listed(request: Request) -> Response:
            machine = request.query_params.get("machine")
            try:
                with closing(self._opened()) as store:
                    rows, kept = store.rows(machine=machine, limit=_SHOWN), store.count(machine=machine)
            except ClipError as error:
                raise WebError(503, str(error)) from None
            clips = [_clip(row) for row in rows]
            return JSONResponse({"clips": clips, "kept": kept, "requests": self._requests()}, headers=NO_STORE)

        def nearest(request: Request) -> Response:
            clip = request.path_params["clip"]
            try:
                with closing(self._opened()) as store:
                    machine = self._found(store, clip).machine
                    rows = store.rows(machine=machine)
            except ClipError as error:
                raise WebError(503, str(error)) from None
            found = next((_nearest_normal(row, rows) for row in rows if row.id == clip), None)
            return JSONResponse({"nearest": None if found is None else _clip(found)}, headers=NO_STORE)

        async def ask(request: Request) -> Response:
            by = _person(request, await body_of(request))
            machine = request.path_params["machine"]
            await run_in_threadpool(_told, lambda: self._desk.request(machine, by))
            return JSONResponse({"request": self._requests().get(machine)}, headers=NO_STORE)

        async def act(request: Request) -> Response:
            body = await body_of(request)
            by, clip, verb = _person(request, body), request.path_params["clip"], request.path_params["act"]
            acts: dict[str, Callable[[], None]] = {
                "pin": lambda: self._desk.pin(clip, by, pinned=True),
                "unpin": lambda: self._desk.pin(clip, by, pinned=False),
                "label": lambda: self._desk.label(clip, _text(body, "label", _LABEL_LETTERS) or "", by),
                "delete": lambda: self._desk.delete(clip, by),
            }
            if verb not in acts:
                raise WebError(404, "a clip can be pinned, unpinned, labelled or deleted")
            await run_in_threadpool(_told, acts[verb])
            return JSONResponse({}, headers=NO_STORE)

        def sound(request: Request) -> Response:
            with closing(self._opened()) as store:
                sidecar = self._found(store, request.path_params["clip"])
                path = store.payload_path(sidecar)
            if sidecar.sound.kind != _AUDIO:
                raise WebError(404, "this site keeps no audio: the clip is a spectrogram only")
            return FileResponse(path, media_type="audio/flac", headers=NO_STORE)

        def picture(request: Request) -> Response:
            with closing(self._opened()) as store:
                sidecar = self._found(store, request.path_params["clip"])
                path, payload = store.picture_path(sidecar), store.payload_path(sidecar)
            if path is None:  # only an alarm's shows two spectrograms, and is kept
                try:
                    made = before_after_png(None, frames_of(sidecar, payload))
                except ClipError as error:
                    raise WebError(503, str(error)) from None
                return Response(made, media_type="image/png", headers=NO_STORE)
            return FileResponse(path, media_type="image/png", headers=NO_STORE)

        return [
            Route("/api/clips", listed),
            Route("/api/clips/{clip}/{act}", act, methods=["POST"]),
            Route("/api/machines/{machine}/clips", ask, methods=["POST"]),
            Route("/api/clips/{clip}/nearest", nearest),
            Route("/api/clips/{clip}/audio", sound),
            Route("/api/clips/{clip}/picture.png", picture),
        ]

    def changes(self, seen: dict[str, int]) -> dict[str, Any]:
        """What became of requests, where it is not as a watcher saw it last; the clips themselves are asked for."""
        requests = self._requests()
        now = hash(json.dumps(requests, sort_keys=True))
        if seen.get("clip_requests") == now:
            return {}
        seen["clip_requests"] = now
        return {"clip_requests": requests}

    def _requests(self) -> dict[str, Json]:
        return {machine: _request(asked) for machine, asked in self._desk.requested().items()}

    def of_episodes(self, episodes: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Clips that show these episodes, oldest first, as they were some seconds ago; none where there is no store."""
        wanted, now_s = frozenset(episodes) - {""}, self._now_s()
        with self._lock:
            asked, at_s = self._asked
            if wanted and (wanted != asked or now_s - at_s >= _ASKED_ANEW_AFTER_S):
                try:
                    with closing(self._open_store()) as store:
                        self._of_episodes = store.of_alarms(wanted)
                except ClipError:  # the page of clips says why; the alarms are shown all the same
                    self._of_episodes = {}
                self._asked = wanted, now_s
            return self._of_episodes if wanted else {}

    def _opened(self) -> ClipStore:
        try:
            return self._open_store()
        except ClipError as error:
            raise WebError(503, str(error)) from None

    def _found(self, store: ClipStore, clip: str) -> Sidecar:
        if not (clip.isascii() and clip.isalnum() and len(clip) <= 64):
            raise WebError(404, "no such clip")
        try:
            return store.find(clip)
        except ClipError as error:
            raise WebError(404, str(error)) from None


def _told(do: Callable[[], None]) -> None:
    """Do it; what cannot be done is told to who asked."""
    try:
        do()
    except ClipError as error:
        raise WebError(409, str(error)) from None
    except CommandError as error:
        raise WebError(404, str(error)) from None


def _person(request: Request, body: Json) -> Person:
    caller = request.client.host if request.client is not None else ""
    return Person(_text(body, "operator", _NAME_LETTERS), f"page at {caller}")


def _text(body: Json, name: str, most: int) -> str | None:
    """One line of text that a person typed; None where there is none."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > most or not value.isprintable() or not value.strip():
        raise WebError(400, f"{name} must be a line of at most {most} letters")
    return value.strip()


def _request(asked: Requested) -> Json:
    if asked.kept or asked.dropped is not None:
        phase = "kept" if asked.kept else "dropped"
    else:
        phase = "waiting" if asked.clip is None else "recording"
    return {"phase": phase, "clip": asked.clip, "why": None if asked.dropped is None else _WHY_NOT[asked.dropped]}


def _clip(row: ClipRow) -> Json:
    return {
        "id": row.id,
        "machine": row.machine,
        "reason": row.reason,
        "state": row.state,
        "audio": row.kind == _AUDIO,
        "at_s": row.start_ns / 1e9,
        "alarm": row.alarm,
        "label": row.label,
        "score": row.score,
        "threshold": row.threshold,
        "speech": row.speech,
        "pinned": row.pinned,
        "size_bytes": row.size_bytes,
    }


def _nearest_normal(clip: ClipRow, rows: Sequence[ClipRow]) -> ClipRow | None:
    """The clip of the same machine's normal sound, by the same models, whose embedding is nearest by cosine.

    One that a person says was something else is no normal sound; of one without audio there is nothing to hear.
    """
    if clip.embedding is None or clip.state == _NORMAL:
        return None
    own = np.frombuffer(clip.embedding, "<f2").astype(np.float32)
    best, best_cosine = None, -2.0
    for row in rows:
        same = row.machine == clip.machine and row.bundle == clip.bundle and row.state == _NORMAL
        if not same or row.embedding is None or row.kind != _AUDIO or row.label not in (None, _NORMAL):
            continue
        other = np.frombuffer(row.embedding, "<f2").astype(np.float32)
        if other.shape != own.shape:
            continue
        cosine = float(own @ other / (np.linalg.norm(own) * np.linalg.norm(other) + 1e-12))
        if cosine > best_cosine:
            best, best_cosine = row, cosine
    return best
