"""The packages that only the line to the hub needs: the extra `sync`, which a gateway without a hub does without.

This is the one place that knows what is missing and says how to mend it. Whatever speaks with a hub or writes its
sticks is imported only where nothing is missing; nothing here imports any of it.
"""

import importlib.util
from pathlib import Path

from edge_agent.settings.problems import ConfigError, Problem

PACKAGES = ("cryptography", "httpx", "securesystemslib", "tuf")
"""What the extra asks for in pyproject.toml, by the names that are imported."""

MEND = "pip install 'edge-agent[sync]'"


def lack() -> str | None:
    """What is missing on this computer and how to mend it; None where all is there."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    return f"the line to the hub needs {', '.join(absent)}, not installed here: {MEND}" if absent else None


def require(path: Path | None, key: str) -> None:
    """See that all is there.

    Args:
        path: The configuration file; None where there is none.
        key: What asks for it, such as `hub.enabled`.

    Raises:
        ConfigError: Something is missing.
    """
    if said := lack():
        raise ConfigError([Problem("configuration" if path is None else str(path), None, key, said)])
