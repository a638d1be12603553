"""What a caller is told when the hub itself cannot: never a stack, never a secret."""

import logging

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from training_hub.storage.errors import StorageError

_log = logging.getLogger(__name__)
_RETRY_S = "5"


def add_failures(app: FastAPI) -> None:
    """A store or database that is away is 503 and worth a repeat."""

    def away(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s failed: %s: %s", request.method, request.url.path, type(error).__name__, error)
        detail = str(error) if isinstance(error, StorageError) else "the database does not answer; try again"
        return JSONResponse({"detail": detail}, 503, headers={"Retry-After": _RETRY_S})

    for kind in (StorageError, OperationalError, PoolTimeoutError):
        app.add_exception_handler(kind, away)
