"""What comes with the agent beside its code: bundles, the example configuration, the unit of systemd."""

from pathlib import Path

import edge_agent

_PACKAGE = Path(edge_agent.__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "shipped"
"""A wheel carries them here (`setup.py`)."""
_BESIDE = _PACKAGE.parent
"""A checkout and the Debian package have them beside the package."""


def resource(path: str) -> Path:
    """Where a file or directory of the repository lies in this installation.

    Args:
        path: Relative to the repository, such as `models/default`.

    Returns:
        Its path; it need not exist.
    """
    carried = _IN_WHEEL / path
    return carried if carried.exists() else _BESIDE / path
