"""Many small writes, one commit: what keeps a disk that needs milliseconds per commit from bounding the intake."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from training_hub.catalogue.database import Database

_Result = TypeVar("_Result")
_Write = tuple[Callable[[Session], Any], Future[Any]]
_MOST = 64


class GroupCommit:
    """Runs writes of several threads in one transaction; any thread.

    A write returns once the transaction is committed. Where one of them fails, all are done again, each in a savepoint
    of its own. On PostgreSQL each has a transaction of its own, whose commits the server groups itself.

    Args:
        database: The catalogue.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Write] = deque()
        self._lead = threading.Lock()

    def run(self, write: Callable[[Session], _Result]) -> _Result:
        """Do a write; what it raises is raised here, and undoes it alone.

        Args:
            write: Is called with the session, perhaps by another thread, and again where what it wrote was undone; it
                does not commit.
        """
        if not self._database.is_sqlite:
            with self._database.transaction() as session:
                return write(session)
        result: Future[_Result] = Future()
        self._waiting.append((write, result))
        # Whoever gets the lead commits for all who wait; those find their result when it is their turn.
        with self._lead:
            if not result.done():
                self._commit_waiting()
        return result.result()

    def _commit_waiting(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
        if len(batch) == 1:  # needs no savepoint: what it raises undoes the transaction, which is its own
            self._commit_alone(*batch[0])
        elif not self._commit_together(batch):
            self._commit_each(batch)

    def _commit_together(self, batch: Sequence[_Write]) -> bool:
        """Whether it went well; else nothing was done."""
        try:
            with self._database.transaction() as session:
                values = [write(session) for write, _ in batch]
        except Exception:  # whose it is shows when each is done for itself
            return False
        except BaseException as error:
            for _, result in batch:
                result.set_exception(error)
            raise
        for (_, result), value in zip(batch, values, strict=True):
            result.set_result(value)
        return True

    def _commit_each(self, batch: Sequence[_Write]) -> None:
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self._database.transaction() as session:
                for write, result in batch:
                    try:
                        with session.begin_nested():
                            outcomes.append((result, write(session), None))
                    except Exception as error:  # it is raised where the write was asked for
                        outcomes.append((result, None, error))
        except BaseException as error:
            for _, result in batch:
                result.set_exception(error)
            return
        for result, value, failure in outcomes:
            if failure is None:
                result.set_result(value)
            else:
                result.set_exception(failure)

    def _commit_alone(self, write: Callable[[Session], Any], result: Future[Any]) -> None:
        try:
            with self._database.transaction() as session:
                value = write(session)
        except BaseException as error:  # it is raised where the write was asked for
            result.set_exception(error)
        else:
            result.set_result(value)
