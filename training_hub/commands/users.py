"""`training-hub users`."""

import argparse
from pathlib import Path

from training_hub.commands._settings import Actions, add_action, add_settings_arguments

NAME = "users"
HELP = "people's accounts: add, list, disable, enable, set-role, set-password"

_ROLES = ("viewer", "operator", "engineer", "admin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = _action(actions, "add", "make an account; its password is asked for")
    add.add_argument("--role", choices=_ROLES, default="viewer")
    _password_file(add)
    listing = actions.add_parser("list", help="all accounts")
    add_settings_arguments(listing)
    _action(actions, "disable", "shut an account and end its sessions")
    _action(actions, "enable", "open it again")
    role = _action(actions, "set-role", "what the person may do")
    role.add_argument("role", choices=_ROLES)
    _password_file(_action(actions, "set-password", "another password; it is asked for"))


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from training_hub.accounts import people  # noqa: PLC0415  # quick --help
    from training_hub.accounts.passwords import Passwords  # noqa: PLC0415
    from training_hub.commands._accounts import BY, catalogue, read_password  # noqa: PLC0415

    action: str = arguments.action
    password_hash = None
    if action in ("add", "set-password"):
        password_hash = Passwords().hash(read_password(arguments.password_file))
    with catalogue(arguments) as database, database.transaction() as session:
        if action == "list":
            for user in people.all_users(session):
                by = "password" if user.password_hash is not None else "identity provider"
                print(f"{user.name}\t{user.role}\t{'disabled' if user.disabled else 'enabled'}\t{by}")
        elif action == "add":
            people.add_user(session, arguments.name, people.role_of(arguments.role), password_hash=password_hash, by=BY)
        elif action == "set-role":
            people.set_role(session, arguments.name, people.role_of(arguments.role), by=BY)
        elif action == "set-password":
            assert password_hash is not None
            people.set_password(session, arguments.name, password_hash, by=BY)
        else:
            people.set_disabled(session, arguments.name, action == "disable", by=BY)
    return 0


def _action(actions: Actions, name: str, text: str) -> argparse.ArgumentParser:
    return add_action(actions, name, text, ("name", "of the account"))


def _password_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file with the password (mode 0600), in place of typing it"
    )
