"""What rollouts refuse, in the words of HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException, Request

from training_hub.rollout.errors import MissingError, RolloutError, UntrustedError


@contextmanager
def refused() -> Iterator[None]:
    """Signed metadata that is not to be trusted is 422, what is not there 404, what cannot be done now 409."""
    try:
        yield
    except UntrustedError as error:
        raise HTTPException(422, str(error)) from error
    except MissingError as error:
        raise HTTPException(404, str(error)) from error
    except RolloutError as error:
        raise HTTPException(409, str(error)) from error


def address_of(request: Request) -> str | None:
    """Where a request came from, for the audit log."""
    return None if request.client is None else request.client.host
