"""`[server]`: where the hub listens."""

from pathlib import Path

from pydantic import Field

from edge_agent.settings.base import FilePath, Section


class ServerSection(Section):
    """Where the hub listens, and where it keeps what it keeps by itself."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; off the loopback only behind TLS.")
    port: int = Field(default=8400, ge=1, le=65_535, description="Port to listen on.")
    state_dir: FilePath = Field(
        default=Path("/var/lib/training-hub"), description="Database, objects and scratch, where nothing else is set."
    )
    public_url: str | None = Field(
        default=None,
        description="How browsers and gateways reach the hub, where that is not its own address.",
        examples=["https://hub.example.org"],
    )
