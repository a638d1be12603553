"""An endpoint in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

AT_ONCE: Final = 4
"""Answers of one endpoint that are worked on at the same time; more would only take the processor from the scorer."""


def in_thread(answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that waits in a thread for its answer, so that a lock or a disk waited for stops no other request.

    Starlette sees to that itself where an endpoint is a plain function, by way of anyio: 1.2 MB of modules, which an
    agent that nobody looks at, and that is only scraped, does without. The thread ends with the answer; as nobody waits
    for one that hangs, it keeps no agent from ending. At most `AT_ONCE` of one endpoint run at a time, so that many who
    ask at once are answered one after another, and a hanging endpoint takes no more threads than that.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    @wraps(answer)
    async def endpoint(request: Request) -> Response:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Response] = loop.create_future()

        def tell(response: Response | None, error: Exception | None) -> None:
            if answered.cancelled():
                return
            if response is None:
                answered.set_exception(error or RuntimeError(f"{answer} gave no answer"))
            else:
                answered.set_result(response)

        def work() -> None:
            response, error = None, None
            try:
                response = answer(request)
            except Exception as raised:  # the loop's to handle, as if the endpoint had raised it there
                error = raised
            with suppress(RuntimeError):  # the loop is closed: the server has ended, and with it who asked
                loop.call_soon_threadsafe(tell, response, error)

        async with turns:
            threading.Thread(target=work, name="http-answer", daemon=True).start()
            return await answered

    return endpoint
