"""The whole examination, in the order a person would look."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent.profiles import ProfileStore
from edge_agent.config.agent import AgentSection
from edge_agent.config.check import run_check
from edge_agent.config.settings import AgentSettings
from edge_agent.detection.errors import DetectionError
from edge_agent.doctor.broker import examine_broker
from edge_agent.doctor.finding import Finding, State, fail, ok, warn
from edge_agent.doctor.host import (
    agent_answers,
    examine_clock,
    examine_disk,
    examine_memory,
    examine_permissions,
    examine_service,
)
from edge_agent.doctor.hub import examine_hub
from edge_agent.doctor.secrets import examine_secrets
from edge_agent.doctor.sources import examine_sources
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.settings.problems import Problem


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and what it was found with.

    Attributes:
        findings: In the order of the page.
        settings: The settings; None where they cannot be loaded.
        health: What the agent that runs here says of itself; None where none answers.
    """

    findings: tuple[Finding, ...]
    settings: AgentSettings | None
    health: dict[str, object] | None


def examine(config: Path | None, environ: Mapping[str, str]) -> Examination:
    """Look at everything; takes seconds, changes nothing but a probe file and a probe message."""
    report = run_check(config, environ)
    settings = report.settings
    health = None if settings is None else agent_answers(settings.http)
    mend = "edge-agent check" + (f" --config {config}" if config else "")
    findings = [fail("configuration", _said(problem), mend) for problem in report.problems]
    for doubt in report.warnings:
        if health is None or doubt.key != "http.port":  # the port is taken by the very agent
            findings.append(warn("configuration", _said(doubt), "correct it, or leave it if it is meant"))
    if settings is not None:
        if not findings:
            sources, machines = len(settings.source), len(settings.machine)
            findings.append(ok("configuration", f"{sources} sources, {machines} machines"))
        findings += _with_settings(settings, environ, health)
    state_dir = (AgentSection() if settings is None else settings.agent).resolve_state_dir(environ)
    outbox = settings.mqtt.outbox.max_bytes if settings is not None and settings.mqtt.enabled else 0
    journal = settings.hub.journal.max_bytes if settings is not None and settings.hub.enabled else 0
    findings += examine_disk(state_dir, outbox + journal)
    findings.append(examine_clock(now_s=time.time()))
    findings.append(examine_memory(settings or AgentSettings(), Path("/proc/meminfo").read_text()))
    findings += examine_service(health)
    return Examination(tuple(findings), settings, health)


def _said(problem: Problem) -> str:
    """Without the word that stands in front of it on the page already."""
    return str(problem).removeprefix("configuration: ")


def _with_settings(
    settings: AgentSettings, environ: Mapping[str, str], health: dict[str, object] | None
) -> Iterator[Finding]:
    yield from examine_permissions(settings)
    yield from examine_secrets(settings, environ)
    yield from examine_sources(settings, agent_runs=health is not None)
    state_dir = settings.agent.resolve_state_dir(environ)
    yield from _models(settings, state_dir)
    yield from examine_broker(settings, environ)
    yield from examine_hub(settings, environ, state_dir)
    if settings.http.enabled and health is None:
        yield ok("port", f"{settings.http.host}:{settings.http.port}: no agent answers there")


def _models(settings: AgentSettings, state_dir: Path) -> Iterator[Finding]:
    try:
        bundle = load_bundle(settings.model.resolve_bundle(state_dir))
    except BundleError as error:
        yield fail("model", str(error), "install the package again, or set model.bundle to a sound bundle")
        return
    yield ok("model", f"{bundle.ref.name} {bundle.ref.version}: every hash and the self-test passed")
    store = ProfileStore(state_dir)
    for machine in settings.machine:
        try:
            profile = store.find(machine.id)
        except (CommandError, DetectionError, OSError) as error:
            yield fail("machine", f"{machine.id}: {error}", f"edge-agent commission --machine {machine.id}")
            continue
        if profile is None:
            yield warn(
                "machine",
                f"{machine.id} is not commissioned: it is heard and not judged",
                f"edge-agent commission --machine {machine.id} --from PATH...",
            )
        else:
            yield ok("machine", f"{machine.id} is commissioned as {profile.machine_type}")


def exit_status(examination: Examination) -> int:
    """1 where something fails, else 0."""
    return int(any(finding.state is State.FAIL for finding in examination.findings))
