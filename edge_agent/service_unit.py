"""The files that make the agent a service of systemd. Pure: text in, files out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

UNIT = Path("etc/systemd/system/edge-agent.service")
CONFIG = Path("etc/edge-agent/agent.toml")
_PROGRAM = re.compile(r"^ExecStart=\S+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What is to be written.

    Attributes:
        files: Text of each file.
        kept: Files that stay as they are where they exist: what an operator wrote.
    """

    files: Mapping[Path, str]
    kept: frozenset[Path]


def plan_service(unit: str, config: str, *, program: Path, root: Path) -> ServicePlan:
    """The service's files.

    Args:
        unit: The unit as shipped, for the program in /opt/edge-agent.
        config: The configuration to begin with.
        program: The `edge-agent` command to run.
        root: Where the file system begins: `/`, or the root of an image.

    >>> plan = plan_service("ExecStart=/opt/x run", "", program=Path("/srv/bin/edge-agent"), root=Path("/"))
    >>> plan.files[Path("/etc/systemd/system/edge-agent.service")]
    'ExecStart=/srv/bin/edge-agent run'
    """
    own = _PROGRAM.sub(lambda _: f"ExecStart={_quoted(program)}", unit, count=1)
    return ServicePlan({root / UNIT: own, root / CONFIG: config}, frozenset({root / CONFIG}))


def _quoted(program: Path) -> str:
    """A path as a unit file takes it: systemd reads % as a specifier, and splits at blanks."""
    text = str(program).replace("%", "%%")
    return text if re.fullmatch(r"[\w./%+-]+", text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
