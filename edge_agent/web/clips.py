"""Kept sound on the page: listen to an alarm, and to the normal sound that is most alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from edge_agent.clips.errors import ClipError
from edge_agent.clips.index import ClipRow
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.web.errors import WebError
from edge_agent.web.requests import NO_STORE
from edge_agent.web.views import Json

_SHOWN: Final = 50
_NORMAL: Final = "normal"
_AUDIO: Final = "audio"


class ClipPages:
    """Routes of clips; every request opens the store anew, beside the writer.

    Args:
        open_store: Opens the store; raises `ClipError` where there is none.
    """

    def __init__(self, open_store: Callable[[], ClipStore]) -> None:
        self._open_store = open_store

    def routes(self) -> list[BaseRoute]:
        """The routes."""

        def listed(request: Request) -> Response:
            machine = request.query_params.get("machine")
            with closing(self._opened()) as store:
                rows = store.rows(machine=machine, limit=-1)
            return JSONResponse(
                {"clips": [_clip(row, _nearest_normal(row, rows)) for row in rows[:_SHOWN]], "kept": len(rows)},
                headers=NO_STORE,
            )

        def sound(request: Request) -> Response:
            with closing(self._opened()) as store:
                sidecar = self._found(store, request.path_params["clip"])
                path = store.payload_path(sidecar)
            if sidecar.sound.kind != _AUDIO:
                raise WebError(404, "this site keeps no audio: the clip is a spectrogram only")
            return FileResponse(path, media_type="audio/flac", headers=NO_STORE)

        def picture(request: Request) -> Response:
            with closing(self._opened()) as store:
                path = store.picture_path(self._found(store, request.path_params["clip"]))
            if path is None:
                raise WebError(404, "this clip has no picture")
            return FileResponse(path, media_type="image/png", headers=NO_STORE)

        return [
            Route("/api/clips", listed),
            Route("/api/clips/{clip}/audio", sound),
            Route("/api/clips/{clip}/picture.png", picture),
        ]

    def changes(self, _seen: dict[str, int]) -> dict[str, Any]:
        """Clips are asked for, not followed."""
        return {}

    def of_episode(self, episode: str) -> Sequence[str]:
        """Clips that show an episode, oldest first; none where there is no store."""
        try:
            with closing(self._open_store()) as store:
                return [row.id for row in reversed(store.rows()) if row.alarm == episode]
        except ClipError:
            return ()

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


def _clip(row: ClipRow, nearest: ClipRow | None) -> Json:
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
        "nearest_normal": None if nearest is None else nearest.id,
    }


def _nearest_normal(clip: ClipRow, rows: Sequence[ClipRow]) -> ClipRow | None:
    """The normal clip of the same machine and bundle whose embedding is nearest by cosine."""
    if clip.embedding is None or clip.state == _NORMAL:
        return None
    own = np.frombuffer(clip.embedding, "<f2").astype(np.float32)
    best, best_cosine = None, -2.0
    for row in rows:
        same = row.machine == clip.machine and row.bundle == clip.bundle and row.state == _NORMAL
        if not same or row.embedding is None:
            continue
        other = np.frombuffer(row.embedding, "<f2").astype(np.float32)
        if other.shape != own.shape:
            continue
        cosine = float(own @ other / (np.linalg.norm(own) * np.linalg.norm(other) + 1e-12))
        if cosine > best_cosine:
            best, best_cosine = row, cosine
    return best
