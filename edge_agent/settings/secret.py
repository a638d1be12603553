"""A secret that lives in a file: only its path is ever held, shown or logged."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

MAX_SECRET_BYTES = 4096


class SecretFileError(Exception):
    """A secret's file cannot be trusted or read; the message never holds its content."""


class SecretFile:
    """Path of a file that holds one secret line.

    A name without a slash is looked up in `$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`) first. The file must
    belong to root or to the user who reads it, and must not be open to others: group may read, others may not.
    Credentials of systemd are exempt: it grants them by access-control lists.

    >>> SecretFile("/run/secrets/mqtt")
    SecretFile('/run/secrets/mqtt')
    """

    def __init__(self, path: str) -> None:
        if not path or "\0" in path:
            raise ValueError("must be the path of a file that holds the secret")
        self.path = path

    def __repr__(self) -> str:
        return f"SecretFile({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretFile) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def read(self, environ: Mapping[str, str]) -> SecretStr:
        """Read the secret now.

        Raises:
            SecretFileError: The file is absent, open to others, not a file, empty, too long or not one line of text.
        """
        path, is_credential = self._locate(environ)
        try:
            # O_NONBLOCK: opening a pipe must not wait for a writer
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise SecretFileError(f"cannot read {path}: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SecretFileError(f"{path} is not a file")
            if not is_credential:
                _check_access(path, status)
            content = file.read(MAX_SECRET_BYTES + 1)
        if len(content) > MAX_SECRET_BYTES:
            raise SecretFileError(f"{path} holds more than {MAX_SECRET_BYTES} bytes; it must hold the secret alone")
        try:
            text = content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise SecretFileError(f"{path} is not UTF-8 text") from None  # the cause holds the content
        if not text or re.search(r"[\x00-\x1f\x7f]", text):
            raise SecretFileError(f"{path} must hold one line of text, the secret alone")
        return SecretStr(text)

    def _locate(self, environ: Mapping[str, str]) -> tuple[Path, bool]:
        directory = environ.get("CREDENTIALS_DIRECTORY")
        if directory and "/" not in self.path and (candidate := Path(directory) / self.path).exists():
            return candidate, True
        path = Path(self.path)
        return path, bool(directory) and path.parent == Path(directory or "")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 (pydantic's signature)
        """A string in a file or the environment; an instance in code."""
        from_text = core_schema.no_info_after_validator_function(cls, core_schema.str_schema(max_length=4096))
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), from_text], mode="left_to_right"
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda secret: secret.path),
        )


def _check_access(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise SecretFileError(f"{path} belongs to user {status.st_uid}; it must belong to root or to the agent's user")
    if status.st_mode & 0o027:
        raise SecretFileError(f"{path} is open to others (mode {status.st_mode & 0o777:04o}); chmod 0600 {path}")
