"""`edge-agent profiles`."""

import argparse
import sys

from edge_agent.commands import options
from edge_agent.commands.commission import describe
from edge_agent.delivery.fields import rfc3339


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="all commissioned machines")
    showing = actions.add_parser("show", help="what was learnt of one")
    removing = actions.add_parser("remove", help="forget one")
    for action in (showing, removing):
        action.add_argument("machine", metavar="ID")
    for action in (listing, showing, removing):
        options.add_state_dir(action)


def run(arguments: argparse.Namespace) -> int:
    """List, show or remove profiles."""
    store = options.profile_store(arguments)
    if arguments.action == "list":
        for machine in store.machines():
            profile = store.load(machine)
            note = "provisional" if profile.provisional else "calibrated"
            print(f"{machine}  {profile.machine_type}  {note}  {rfc3339(profile.created_ns)}")
        if not store.machines():
            print(f"no profile in {store.directory}", file=sys.stderr)
    elif arguments.action == "show":
        for line in describe(store.load(arguments.machine)):
            print(line)
    else:
        store.remove(arguments.machine)
        print(f"removed {arguments.machine}", file=sys.stderr)
    return 0
