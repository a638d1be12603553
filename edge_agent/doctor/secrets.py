"""The secrets that a configuration names: whether they can be read, and what must not be shown."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from edge_agent.config.settings import AgentSettings
from edge_agent.doctor.finding import Finding, fail, ok
from edge_agent.settings.secret import SecretFile, SecretFileError


def secret_files(part: BaseModel, key: str = "") -> Iterator[tuple[str, SecretFile]]:
    """Every secret under a section, by its key; whoever adds one need not tell anybody.

    >>> from edge_agent.config.http import HttpSection
    >>> settings = AgentSettings(http=HttpSection(token_file=SecretFile("token")))
    >>> list(secret_files(settings))
    [('http.token_file', SecretFile('token'))]
    """
    for name in type(part).model_fields:
        yield from _within(getattr(part, name), f"{key}.{name}" if key else name)


def _within(value: object, key: str) -> Iterator[tuple[str, SecretFile]]:
    if isinstance(value, SecretFile):
        yield key, value
    elif isinstance(value, BaseModel):
        yield from secret_files(value, key)
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from _within(each, f"{key}[{index}]")


def examine_secrets(settings: AgentSettings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each can be read, now and not only when it is needed.

    What is named by a path must be closed to others; a name is looked up among the service's credentials.
    """
    unused = tuple(f"{name}." for name in ("mqtt", "hub", "http") if not getattr(settings, name).enabled)
    files = [(key, file) for key, file in secret_files(settings) if not key.startswith(unused)]
    unusable = 0
    for key, file in files:
        try:
            file.read({} if "/" in file.path else environ)
        except SecretFileError as error:
            unusable += 1
            yield fail("secret", f"{key}: {error}", "the agent does not start, or the source stays down, without it")
    if files and not unusable:
        yield ok("secret", f"{len(files)} can be read, by nobody else")


def known_secrets(settings: AgentSettings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets themselves, to take them out of a text; one that cannot be read here nobody can have leaked."""
    found = []
    for _, file in secret_files(settings):
        try:
            found.append(file.read(environ).get_secret_value())
        except SecretFileError:
            continue  # told by `examine_secrets`
    return tuple(found)
