"""What the commands about accounts share: the catalogue, and secrets that go neither into arguments nor into a log."""

import argparse
import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.settings.secret import SecretFile
from training_hub.accounts.errors import AccountError
from training_hub.accounts.secrets import NewKey
from training_hub.catalogue.database import Database
from training_hub.commands._settings import settings_of

BY = "hub"
"""Whom the audit log names: whoever may run commands on the hub's computer."""


@contextmanager
def catalogue(arguments: argparse.Namespace) -> Iterator[Database]:
    """The catalogue of the settings, brought to this version."""
    from training_hub.catalogue.migrate import migrate  # noqa: PLC0415  # quick --help
    from training_hub.opening import database_of  # noqa: PLC0415

    database = database_of(settings_of(arguments), os.environ)
    try:
        migrate(database)
        yield database
    finally:
        database.close()


def read_password(file: Path | None) -> str:
    """A new password, from a file that only its owner reads or from a person at the terminal.

    Raises:
        AccountError: The two that were typed differ, or nobody is there to type.
        SecretFileError: The file cannot be trusted or read.
    """
    if file is not None:
        return SecretFile(str(file)).read(os.environ).get_secret_value()
    if not sys.stdin.isatty():
        raise AccountError("there is no terminal to type a password at; give --password-file FILE")
    password = getpass.getpass("New password: ")
    if password != getpass.getpass("The same again: "):
        raise AccountError("the two passwords differ; nothing was changed")
    return password


def hand_out(key: NewKey, file: Path | None) -> None:
    """Show a key this once, or write it to a new file of its owner's.

    Raises:
        AccountError: The file is there already, or cannot be written.
    """
    if file is None:
        print(key.text)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise AccountError(f"the key cannot be written to {file}: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(f"{key.text}\n")


def refuse_existing(file: Path | None) -> None:
    """Before a key is made that nobody could read.

    Raises:
        AccountError: The file is there already.
    """
    if file is not None and file.exists():
        raise AccountError(f"{file} is there already; name a new file for the key")
