"""`edge-agent replay`."""

import argparse
import sys
import time

from edge_agent.agent.hearing.offline import OFFLINE_BLOCK_SAMPLES
from edge_agent.agent.progress import Progress
from edge_agent.capture.files import expand
from edge_agent.commands import options
from edge_agent.commands.replay_jobs import processes, replay_in_processes
from edge_agent.commands.replay_session import ReplaySession, Tally


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help=options.PATH_HELP)
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--machine", metavar="ID", help="the machine that is heard")
    who.add_argument("--auto", action="store_true", help="let the sound say which machine is heard (the default)")
    parser.add_argument("--json", action="store_true", help="one event per window, one JSON object per line")
    parser.add_argument("--stream", action="store_true", help="join all files into one continuous recording")
    parser.add_argument(
        "--window-s", type=options.positive, default=10.0, metavar="S", help="length of a window (default: 10)"
    )
    parser.add_argument(
        "--hop-s", type=options.positive, metavar="S", help="from window to window (default: its length)"
    )
    parser.add_argument(
        "--block-samples",
        type=options.at_least(1),
        default=OFFLINE_BLOCK_SAMPLES,
        metavar="N",
        help="samples read at a time; changes no result",
    )
    parser.add_argument(
        "--jobs",
        type=options.at_least(0),
        default=1,
        metavar="N",
        help="processes that share the recordings, 0 for one a core; changes no result (default: 1)",
    )
    options.add_channel(parser)
    options.add_bundle(parser)
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score the recordings; 1 if any of them could not be used."""
    paths = expand(arguments.paths)
    session = ReplaySession(arguments)
    jobs = processes(arguments.jobs, 1 if arguments.stream else len(paths))
    tally = Tally()
    started_s = time.monotonic()
    with Progress("replaying", len(paths)) as progress:
        if jobs > 1:
            for done in replay_in_processes(arguments, paths, jobs):
                sys.stdout.write(done.shown)
                sys.stderr.write(done.complaints)
                tally.add(done.tally)
                progress.advance(done.recordings)
        else:
            # a stream opens all its files before the first window
            tally.add(session.replay(paths if arguments.stream else progress.over(paths), sys.stdout, sys.stderr))
    _summarise(tally, time.monotonic() - started_s)
    return 1 if tally.refused else 0


def _summarise(tally: Tally, elapsed_s: float) -> None:
    books = tally.books
    speed = f", {books.captured_s / elapsed_s:.0f} x real time" if elapsed_s > 0 and books.captured_s else ""
    print(
        f"{tally.windows} windows; {books.captured_s:.1f} s of sound = {books.scored_s:.1f} s scored "
        f"+ {books.skipped_s:.1f} s skipped; {tally.refused} refused{speed}",
        file=sys.stderr,
    )
