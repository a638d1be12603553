"""`edge-agent check`: what can be found wrong before the agent starts, without touching any hardware."""

import glob
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.config.hub import HubTlsSection
from edge_agent.config.load import load_settings
from edge_agent.config.mqtt import TlsSection
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import ReplaySection, StreamSection
from edge_agent.inference.errors import BundleError
from edge_agent.settings.problems import ConfigError, Problem
from edge_agent.settings.secret import SecretFile, SecretFileError
from edge_agent.sync.extra import lack


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        settings: The settings; None where they could not be loaded.
        problems: What keeps the agent from working.
        warnings: What may be meant, or may pass.
    """

    settings: AgentSettings | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the agent can start."""
        return not self.problems


def run_check(path: Path | None, environ: Mapping[str, str]) -> Report:
    """Load the settings and look at everything they point to on this computer."""
    try:
        settings = load_settings(path, environ)
    except ConfigError as error:
        return Report(None, error.problems)
    origin = "configuration" if path is None else str(path)
    found = [*_state(settings, environ), *_secrets(settings, environ), *_tls(settings), *_recordings(settings)]
    found += [*_speech(settings), *_hub_packages(settings)]
    doubts = [*_ports(settings), *_idle(settings)]
    return Report(
        settings,
        tuple(Problem(origin, None, key, message) for key, message in found),
        tuple(Problem(origin, None, key, message) for key, message in doubts),
    )


def _state(settings: AgentSettings, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    state = settings.agent.resolve_state_dir(environ).absolute()
    nearest = next(parent for parent in (state, *state.parents) if parent.exists())
    if not nearest.is_dir():
        yield "agent.state_dir", f"{nearest} is not a directory"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield "agent.state_dir", f"{state} cannot be written: no permission in {nearest}"
    try:
        bundle = settings.model.resolve_bundle(state).absolute()
    except BundleError as error:
        yield "model.bundle", str(error)
        return
    if not os.access(bundle / "manifest.json", os.R_OK):
        yield "model.bundle", f"{bundle} is no bundle: it holds no readable manifest.json"


def _speech(settings: AgentSettings) -> Iterator[tuple[str, str]]:
    detector = settings.clips.resolve_detector().absolute()
    if settings.clips.enabled and settings.clips.speech != "off" and not os.access(detector / "manifest.json", os.R_OK):
        yield "clips.detector", f"{detector} holds no speech detector: no clip would be kept"


def _hub_packages(settings: AgentSettings) -> Iterator[tuple[str, str]]:
    if settings.hub.enabled and (said := lack()):
        yield "hub.enabled", said


def _secrets(settings: AgentSettings, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    secrets: dict[str, SecretFile | None] = {
        "mqtt.password_file": settings.mqtt.password_file if settings.mqtt.enabled else None,
        "hub.key_file": settings.hub.key_file if _asks_hub(settings) else None,
        "http.token_file": settings.http.token_file if settings.http.enabled else None,
    }
    for number, source in enumerate(settings.source):
        if isinstance(source, StreamSection):
            secrets[f"source[{number}].password_file"] = source.password_file
    for key, secret in secrets.items():
        if secret is not None:
            try:
                secret.read(environ)
            except SecretFileError as error:
                yield key, str(error)


def _tls(settings: AgentSettings) -> Iterator[tuple[str, str]]:
    if settings.mqtt.enabled and settings.mqtt.tls.enabled:
        yield from _certificates("mqtt.tls", settings.mqtt.tls)
    if _asks_hub(settings):
        yield from _certificates("hub.tls", settings.hub.tls)
        root = settings.hub.root_file
        if root is not None and not os.access(root, os.R_OK):
            yield "hub.root_file", f"{root} cannot be read: no bundle of the hub would be trusted"


def _asks_hub(settings: AgentSettings) -> bool:
    return settings.hub.enabled and settings.hub.transport == "network"


def _certificates(key: str, tls: TlsSection | HubTlsSection) -> Iterator[tuple[str, str]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca_file is not None:
        try:
            context.load_verify_locations(tls.ca_file)
        except OSError as error:
            yield f"{key}.ca_file", f"{tls.ca_file} holds no usable certificates: {error.strerror or error}"
    if tls.cert_file is not None:
        try:
            # an empty passphrase: never ask for one on the terminal
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        except OSError as error:
            yield f"{key}.cert_file", f"{tls.cert_file} and {tls.key_file} are no pair: {error.strerror or error}"


def _recordings(settings: AgentSettings) -> Iterator[tuple[str, str]]:
    for number, source in enumerate(settings.source):
        if isinstance(source, ReplaySection):
            for position, pattern in enumerate(source.paths):
                path = pattern.removeprefix("@")
                if not (os.access(path, os.R_OK) or next(glob.iglob(path, recursive=True), None)):
                    yield f"source[{number}].paths[{position}]", f"{path!r} is absent or cannot be read"


def _ports(settings: AgentSettings) -> Iterator[tuple[str, str]]:
    if not settings.http.enabled:
        return
    host, port = settings.http.host, settings.http.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
    except OSError as error:
        yield "http.port", f"cannot listen on {host}:{port} now ({error.strerror}); is an agent running already?"


def _idle(settings: AgentSettings) -> Iterator[tuple[str, str]]:
    if not settings.source:
        yield "source", "no [[source]]: the agent hears nothing"
    if settings.hub.enabled and not settings.clips.enabled:
        yield "hub.enabled", "clips.enabled is false: the hub gets events and reports, and no sound to learn from"
    heard = {channel.machine for source in settings.source for channel in source.channel}
    for number, machine in enumerate(settings.machine):
        if machine.id not in heard and "auto" not in heard:
            yield f"machine[{number}].id", f"no channel hears {machine.id!r}"
