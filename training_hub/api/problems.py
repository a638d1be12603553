"""What a caller is told that asked for what cannot be."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from training_hub.catalogue.errors import CatalogueError, NotThereError, StateError
from training_hub.jobs.errors import JobError
from training_hub.sounds.errors import Refusal, SoundError

_OF_REFUSAL = {
    Refusal.TOO_LARGE: 413,
    Refusal.FORMAT: 415,
    Refusal.DAMAGED: 400,
    Refusal.LIMITS: 400,
    Refusal.UNKNOWN: 404,
    Refusal.CONFLICT: 409,
    Refusal.UNAVAILABLE: 503,
}
_MEANING = {
    400: "What was sent cannot be understood or is beyond a limit",
    401: "Nobody is logged in",
    403: "The person's role does not suffice, or the CSRF token is missing",
    404: "It is not there",
    409: "It is there, but in no state for that",
    413: "The file is too large",
    415: "The file is of no format that is taken",
    416: "The range lies outside the file",
    422: "What was sent is well formed, and refused for what it is",
    429: "Too often; `Retry-After` says when again",
    503: "The database, the store or a model is away for now",
}


class Problem(BaseModel):
    """Why something was not done."""

    detail: str = Field(
        description="The thing, the value and the mend, in words.", examples=["there is no clip 01HF7YAT"]
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of routes that may answer so; those that any route may are included."""
    every = sorted({400, 401, 403, 429, 503, *statuses})
    return {status: {"model": Problem, "description": _MEANING[status]} for status in every}


class Flaw(BaseModel):
    """One thing that fits no model."""

    loc: list[str | int] = Field(description="Where it stands.", examples=[["query", "limit"]])
    msg: str = Field(description="What it should be.")
    type: str = Field(description="The rule's name.", examples=["greater_than_equal"])


class Unfit(BaseModel):
    """What was sent does not have the form that it must have."""

    detail: list[Flaw] | str


EVERYWHERE: dict[int | str, dict[str, Any]] = {
    **problems(404, 409, 413, 415),
    422: {"model": Unfit, "description": "It does not have the form that it must have"},
}
"""What any request may be answered."""


def add_problems(app: FastAPI) -> None:
    """Answer the packages' exceptions, and input that fits no model, with what was wrong."""

    def catalogue(_request: Request, error: Exception) -> JSONResponse:
        status = 404 if isinstance(error, NotThereError) else 409 if isinstance(error, StateError) else 400
        return JSONResponse({"detail": str(error)}, status)

    def sound(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, SoundError)
        return JSONResponse({"detail": str(error)}, _OF_REFUSAL[error.refusal])

    def invalid(_request: Request, error: Exception) -> JSONResponse:
        # what was sent is left out: it may be a secret, no text, or no number that JSON knows
        assert isinstance(error, RequestValidationError)
        found = [
            {"loc": [_plain(part) for part in one["loc"]], "msg": _plain(one["msg"]), "type": one["type"]}
            for one in error.errors()[:20]
        ]
        return JSONResponse({"detail": found}, 422)

    def job(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 409)

    app.add_exception_handler(CatalogueError, catalogue)
    app.add_exception_handler(JobError, job)
    app.add_exception_handler(SoundError, sound)
    app.add_exception_handler(RequestValidationError, invalid)


def _plain(part: str | int) -> str | int:
    """Text that UTF-8 can carry."""
    return part if isinstance(part, int) else part.encode("utf-8", "replace").decode()[:200]
