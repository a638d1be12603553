"""Asks the hub a question that changes nothing, as the agent would."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge_agent.config.settings import AgentSettings
from edge_agent.doctor.finding import Finding, fail, ok, warn
from edge_agent.settings.secret import SecretFileError
from edge_agent.sync.errors import HubError, SyncError, Trouble
from edge_agent.sync.extra import MEND, lack
from edge_agent.sync.marks import FILE_NAME, Aside, SyncMarks

_TOPIC = "hub"
_WAITS = "clips and events wait on the gateway meanwhile"
_MENDS = {
    Trouble.AWAY: f"is it running, hub.url right, and may the service reach it (docs/service.md)? {_WAITS}",
    Trouble.BUSY: f"nothing: it is asked again; {_WAITS}",
    Trouble.DENIED: "at the hub: training-hub gateways list, enable or new-key; write the key to hub.key_file",
    Trouble.UNTRUSTED: "set hub.tls.ca_file to the authority that signed its certificate, hub.url to the name in it",
    Trouble.MISUNDERSTOOD: "is hub.url the hub's, without /api? bring agent and hub to versions that fit",
}


def examine_hub(settings: AgentSettings, environ: Mapping[str, str], state_dir: Path) -> Iterator[Finding]:
    """Whether it answers and knows this gateway, and whether clips are held back."""
    hub = settings.hub
    if not hub.enabled:
        yield ok(_TOPIC, "not used (hub.enabled is false)")
        return
    if said := lack():
        yield fail(_TOPIC, said, MEND)
    elif hub.transport != "network":
        yield ok(_TOPIC, "by USB stick: edge-agent sync export")
    else:
        yield from _ask(settings, environ)
    if (state_dir / FILE_NAME).exists():
        yield from _aside(state_dir)


def _ask(settings: AgentSettings, environ: Mapping[str, str]) -> Iterator[Finding]:
    from edge_agent.agent.hub.sync import open_line  # noqa: PLC0415  # what speaks HTTP, for those with a hub

    url = settings.hub.url
    try:
        line = open_line(settings.hub, environ)
    except (SecretFileError, SyncError) as error:
        yield fail(_TOPIC, str(error), "mend the file, or the key of [hub] that names it")
        return
    started_s = time.monotonic()
    try:
        line.client.missing_clips(())
    except HubError as error:
        yield warn(_TOPIC, str(error), _MENDS[error.trouble])
    else:
        yield ok(_TOPIC, f"{url} answers in {(time.monotonic() - started_s) * 1000:.0f} ms and knows this gateway")
    finally:
        line.client.close()


def _aside(state_dir: Path) -> Iterator[Finding]:
    marks = SyncMarks(state_dir)
    try:
        aside = [each for each in marks.aside() if each.reason is not Aside.SPEECH]
    except SyncError as error:
        yield warn(_TOPIC, str(error), "check the disk")
        return
    finally:
        marks.close()
    if aside:
        last = aside[-1]
        yield warn(
            _TOPIC,
            f"{len(aside)} clips are not sent, the last one for: {last.why}",
            "edge-agent sync status lists them; mend the cause, then edge-agent sync retry",
        )
