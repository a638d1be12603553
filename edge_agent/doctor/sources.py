"""Listens to every configured source for a moment: is it there, and does it hear anything?"""

import math
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from edge_agent.agent.hearing.sources import source_opener
from edge_agent.capture.source import Source, SourceError
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import SourceSection
from edge_agent.doctor.finding import Finding, fail, ok, warn

LISTEN_S = 1.0
PATIENCE_S = 15.0
_DEAD_DBFS = -90.0
_MENDS = {
    "microphone": "edge-agent devices lists the inputs; is the user in the group audio?",
    "stream": "does the sender run, and does a firewall or the unit's IPAddressAllow keep the gateway from it?",
    "replay": "correct source.paths",
    "simulated": "correct the source's keys: edge-agent check",
}
_CLIPPED = 0.999
_CLIPPED_SHARE = 0.001


def examine_sources(settings: AgentSettings, *, agent_runs: bool) -> Iterator[Finding]:
    """All sources at once, each in a thread of its own: one that hangs keeps no other from being heard.

    Args:
        settings: The settings.
        agent_runs: Whether an agent listens already; a device that only one can open is busy then, which is no fault.
    """
    if not settings.source:
        yield warn("source", "none is configured: the agent hears nothing", "add a [[source]]: edge-agent devices")
    found: dict[str, list[Finding]] = {section.id: [] for section in settings.source}
    threads = [
        threading.Thread(
            target=_listen,
            args=(section, source_opener(section, settings), agent_runs, found[section.id]),
            name=f"doctor-{section.id}",
            daemon=True,
        )
        for section in settings.source
    ]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    for source_id, findings in found.items():
        yield from findings or [
            fail(f"source {source_id}", f"gave nothing within {PATIENCE_S:.0f} s", "unplug it and plug it in again")
        ]


def _listen(section: SourceSection, open_source: Callable[[], Source], agent_runs: bool, found: list[Finding]) -> None:
    topic, channels = f"source {section.id}", len(section.channel)
    try:
        source = open_source()
        try:
            samples = _hear(source)
        finally:
            source.close()
    except SourceError as error:
        if agent_runs:
            found.append(warn(topic, f"{error}", "the agent that runs may hold it: ask its /healthz"))
        else:
            found.append(fail(topic, str(error), _MENDS[section.kind]))
        return
    if not samples.size:
        found.append(warn(topic, "ended before it gave anything", "check its recordings"))
        return
    found.append(_judge(topic, samples, channels))


def _hear(source: Source) -> np.ndarray:
    """Samples `[n, channels]` of about `LISTEN_S`."""
    heard = []
    samples = 0
    for block in source.blocks():
        heard.append(block.samples)
        samples += len(block.samples)
        if samples >= LISTEN_S * source.rate_hz:
            break
    return np.concatenate(heard) if heard else np.empty((0, source.channels), np.float32)


def _judge(topic: str, samples: np.ndarray, channels: int) -> Finding:
    """What one moment of sound says; the agent itself watches the input for much longer."""
    if not np.isfinite(samples).all():
        return fail(topic, "gives values that are no numbers", "its driver is broken: use another device or rate")
    quiet = samples - samples.mean(axis=0)
    levels = [10 * math.log10(max(float(np.mean(channel**2)), 1e-12)) for channel in quiet.T]
    said = ", ".join(f"{level:.0f}" for level in levels)
    clipped = float(np.mean(np.abs(samples) >= _CLIPPED))
    if clipped > _CLIPPED_SHARE:
        return warn(topic, f"{said} dBFS, {clipped:.1%} clipped", "turn its gain down: alsamixer -c CARD")
    if min(levels) < _DEAD_DBFS:
        return warn(topic, f"{said} dBFS: silent", "unmute it and turn its gain up: alsamixer -c CARD")
    return ok(topic, f"heard {said} dBFS on {channels} channels")
