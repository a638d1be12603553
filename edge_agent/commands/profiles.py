"""`edge-agent profiles`."""

import argparse
import sys

from edge_agent.agent.hearing.offline import OfflineAnalyser
from edge_agent.agent.profiles import ProfileStore
from edge_agent.commands import options
from edge_agent.commands.commission import add_sounds, gather
from edge_agent.commands.profile_page import describe, describe_addition, details, one_line
from edge_agent.commissioning.lesson import Lesson
from edge_agent.errors import CommandError
from edge_agent.pipeline.priors import feature_source
from edge_agent.pipeline.window import WindowShape


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="all commissioned machines")
    showing = actions.add_parser("show", help="what was learnt of one")
    adding = actions.add_parser("add", help="add accepted normal sound to one, after showing what would change")
    past = actions.add_parser("history", help="former profiles of one")
    reverting = actions.add_parser("revert", help="use a former profile again")
    removing = actions.add_parser("remove", help="forget one, its history and its kept sound")
    for action in (showing, adding, past, reverting, removing):
        action.add_argument("machine", metavar="ID")
    add_sounds(adding)
    adding.add_argument("--yes", action="store_true", help="do not ask")
    options.add_channel(adding)
    options.add_bundle(adding)
    reverting.add_argument(
        "--to",
        type=options.at_least(1),
        metavar="NUMBER",
        help="which one, as `history` numbers them (default: latest)",
    )
    for action in (listing, showing, adding, past, reverting, removing):
        options.add_state_dir(action)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    store = options.profile_store(arguments)
    actions = {"list": _list, "show": _show, "add": _add, "history": _history, "revert": _revert, "remove": _remove}
    actions[arguments.action](store, arguments)
    return 0


def _list(store: ProfileStore, arguments: argparse.Namespace) -> None:
    for machine in store.machines():
        print(one_line(store.load(machine)))
    if not store.machines():
        print(f"no profile in {store.directory}", file=sys.stderr)


def _show(store: ProfileStore, arguments: argparse.Namespace) -> None:
    profile = store.load(arguments.machine)
    for line in (*describe(profile), *details(profile)):
        print(line)


def _add(store: ProfileStore, arguments: argparse.Namespace) -> None:
    """Fit anew with more, show what would change, and keep it if a person says so."""
    profile = store.load(arguments.machine)
    kept = store.normals(profile)
    bundle = options.open_bundle(arguments)
    source = feature_source(bundle)
    for one in kept:
        one.check_source(source)
    analyser = OfflineAnalyser(bundle, WindowShape(), channels=options.channel_choice(arguments))
    recordings = gather(analyser, arguments.sounds)
    if not recordings:
        raise CommandError("none of the recordings can be learnt from: nothing to add")
    known = sum(normals.windows for normals in kept)
    if known < profile.windows:
        print(f"fitting on {known} kept windows of {profile.windows}", file=sys.stderr)
    lesson = Lesson(profile.machine_id, profile.machine_type, bundle, profile.budget)
    addition = lesson.add(profile, kept, recordings)
    for line in describe_addition(addition):
        print(line)
    if not (arguments.yes or _confirmed("put the new profile in use?")):
        raise CommandError(f"nothing was changed: the profile of {arguments.machine} stands as it was")
    store.save(addition.after, addition.normals)
    print(f"in use; the former one: edge-agent profiles revert {arguments.machine}", file=sys.stderr)


def _history(store: ProfileStore, arguments: argparse.Namespace) -> None:
    print(f"in use  {one_line(store.load(arguments.machine))}")
    for former in store.history(arguments.machine):
        print(f"{former.number:<6}  {one_line(former.profile)}")


def _revert(store: ProfileStore, arguments: argparse.Namespace) -> None:
    former = store.revert(arguments.machine, arguments.to)
    print(one_line(former.profile))


def _remove(store: ProfileStore, arguments: argparse.Namespace) -> None:
    store.remove(arguments.machine)
    print(f"removed {arguments.machine}", file=sys.stderr)


def _confirmed(question: str) -> bool:
    """Ask on the terminal; without one nobody can say yes."""
    if not sys.stdin.isatty():
        print(f"{question} nobody can be asked here: give --yes", file=sys.stderr)
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
