"""From a TOML file and the environment to checked settings."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from edge_agent.settings.base import Location
from edge_agent.settings.environment import EnvironmentSource
from edge_agent.settings.positions import key_lines
from edge_agent.settings.problems import ConfigError, Problem, dotted, explain, unknown_key

MAX_FILE_BYTES = 1024 * 1024

_Settings = TypeVar("_Settings", bound=BaseSettings)


def load(settings_cls: type[_Settings], path: Path | None, environ: Mapping[str, str]) -> _Settings:
    """Read the settings: defaults, then the file, then the environment.

    Args:
        settings_cls: What to read; its `env_prefix` says which variables are meant for it.
        path: The TOML file; None for defaults and environment alone.
        environ: The environment; every variable that begins with the prefix must name a key.

    Raises:
        ConfigError: With every problem found.
    """
    data, lines = ({}, {}) if path is None else _read_file(path)
    environment = EnvironmentSource(settings_cls, environ, data)
    data = environment()
    problems = list(environment.problems)
    file = "configuration" if path is None else str(path)

    def problem(location: Location, message: str) -> Problem:
        for length in range(len(location), 0, -1):
            if variable := environment.origins.get(location[:length]):
                return Problem(variable, None, dotted(location), message)
            if line := lines.get(location[:length]):
                return Problem(file, line, dotted(location), message)
            if length > 1:  # an item or table that stands only in the environment: any of its variables shows where
                for place, variable in environment.origins.items():
                    if place[:length] == location[:length]:
                        return Problem(variable, None, dotted(location), message)
        return Problem(file, None, dotted(location), message)

    # taken out here, because BaseSettings would read some of its own options from keys such as _env_file
    for key in [key for key in data if key not in settings_cls.model_fields]:
        problems.append(problem((key,), unknown_key(key, settings_cls.model_fields)))
        del data[key]
    try:
        settings = settings_cls(**data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems += [problem(*item) for detail in found for item in explain(detail, settings_cls)]
    if problems:
        raise ConfigError(sorted(problems, key=lambda item: (item.line is None, item.line or 0)))
    return settings


def _read_file(path: Path) -> tuple[dict[str, Any], dict[Location, int]]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError([Problem(str(path), None, "", f"cannot be read: {reason}")]) from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(
            [Problem(str(path), None, "", f"is larger than {MAX_FILE_BYTES} bytes; is it the right file?")]
        )
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), line, "", "is not UTF-8 text")]) from error
    try:
        return tomllib.loads(text), key_lines(text)
    except RecursionError as error:
        raise ConfigError([Problem(str(path), None, "", "is nested too deeply")]) from error
    except ValueError as error:  # TOMLDecodeError, and what int() and date() refuse
        raise ConfigError([_syntax_problem(str(path), text, str(error))]) from error


def _syntax_problem(path: str, text: str, reason: str) -> Problem:
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", reason)
    if place is None:
        return Problem(path, None, "", f"is not TOML: {reason}")
    line = int(place[1]) if place[1] else text.rstrip("\n").count("\n") + 1
    return Problem(path, line, "", f"is not TOML: {reason[: place.start()]}")
