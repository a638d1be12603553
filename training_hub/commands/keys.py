"""`training-hub keys`."""

import argparse
from pathlib import Path

from training_hub.commands._settings import add_settings_arguments

NAME = "keys"
HELP = "keys of people's scripts: add, revoke"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="a key that may do what its person may; shown this once")
    add.add_argument("--key-file", type=Path, metavar="FILE", help="write the key to this new file (mode 0600) instead")
    revoke = actions.add_parser("revoke", help="end a person's keys")
    revoke.add_argument("--prefix", help="only the key that begins so, as the audit log names it")
    for parser_ in (add, revoke):
        parser_.add_argument("user", metavar="USER", help="whose")
        add_settings_arguments(parser_)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from training_hub.accounts import people  # noqa: PLC0415  # quick --help
    from training_hub.commands._accounts import BY, catalogue, hand_out, refuse_existing  # noqa: PLC0415

    if arguments.action == "add":
        refuse_existing(arguments.key_file)
        with catalogue(arguments) as database, database.transaction() as session:
            key = people.add_key(session, arguments.user, by=BY)
        hand_out(key, arguments.key_file)
    else:
        with catalogue(arguments) as database, database.transaction() as session:
            count = people.revoke_keys(session, arguments.user, prefix=arguments.prefix, by=BY)
        print(f"{count} keys revoked")
    return 0
