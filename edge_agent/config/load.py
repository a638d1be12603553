"""The agent's settings from a TOML file and the environment."""

from collections.abc import Mapping
from pathlib import Path

from edge_agent.config.settings import AgentSettings
from edge_agent.settings.load import load


def load_settings(path: Path | None, environ: Mapping[str, str]) -> AgentSettings:
    """Read the settings: defaults, then the file, then the environment.

    Args:
        path: The TOML file; None for defaults and environment alone.
        environ: The environment; every variable that begins with `EDGE_AGENT__` must name a key.

    Raises:
        ConfigError: With every problem found.
    """
    return load(AgentSettings, path, environ)
