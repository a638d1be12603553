"""`[agent]`: who this agent is and where it keeps its state."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from edge_agent.settings.base import FilePath, Identifier, Section


class AgentSection(Section):
    """Who this agent is and where it keeps its state."""

    site: Identifier = Field(default="site", description="Name of the plant; part of every topic and metric.")
    gateway: Identifier = Field(default="gateway", description="Name of this gateway, unique within the site.")
    state_dir: FilePath | None = Field(
        default=None,
        description="Directory of the agent's data. Unset: $STATE_DIRECTORY, else $XDG_STATE_HOME/edge-agent.",
        examples=["/var/lib/edge-agent"],
    )

    def resolve_state_dir(self, environ: Mapping[str, str]) -> Path:
        """The state directory: the one set here, else systemd's, else the user's (`~/.local/state/edge-agent`)."""
        if self.state_dir is not None:
            return self.state_dir
        if systemd := environ.get("STATE_DIRECTORY"):
            return Path(systemd.split(":")[0])
        if xdg := environ.get("XDG_STATE_HOME"):
            return Path(xdg) / "edge-agent"
        return Path(environ.get("HOME") or "/var/lib") / ".local" / "state" / "edge-agent"
