"""Replay shared among processes: the same output, in the same order, as of one."""

import argparse
import io
import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from edge_agent.commands.replay_session import ReplaySession, Tally
from edge_agent.errors import CommandError

_AHEAD = 3
"""Tasks that wait for each process: what is done early is kept until its turn comes."""

_TASK_RECORDINGS = 16


@dataclass(frozen=True)
class Done:
    """What a process made of some recordings.

    Attributes:
        shown: For standard output.
        complaints: For standard error.
        tally: What became of them.
        recordings: How many they were.
    """

    shown: str
    complaints: str
    tally: Tally
    recordings: int


def processes(wanted: int, recordings: int) -> int:
    """How many processes to use: 0 wanted means one for each core that this process may use."""
    return min(wanted or len(os.sched_getaffinity(0)), recordings)


def replay_in_processes(arguments: argparse.Namespace, paths: Sequence[Path], jobs: int) -> Iterator[Done]:
    """Score recordings in `jobs` processes; yields in the order of the recordings.

    Raises:
        CommandError: A process ended before its time.
    """
    tasks = [paths[first : first + _TASK_RECORDINGS] for first in range(0, len(paths), _TASK_RECORDINGS)]
    # spawned, not forked: the interpreter of the model does not survive a fork
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(arguments,)) as pool:
        waiting: deque[Future[Done]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(_replay, task))
                if len(waiting) >= _AHEAD * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise CommandError("a process of replay was killed (no memory left?); use fewer --jobs") from error
        finally:
            for future in waiting:
                future.cancel()


class _Worker:
    """The session of this process."""

    session: ReplaySession


def _begin(arguments: argparse.Namespace) -> None:
    _Worker.session = ReplaySession(arguments, complain=False)


def _replay(paths: Sequence[Path]) -> Done:
    shown, complaints = io.StringIO(), io.StringIO()
    tally = _Worker.session.replay(paths, shown, complaints)
    return Done(shown.getvalue(), complaints.getvalue(), tally, len(paths))
