"""What the running agent leaves on the disk of the update under way, for `edge-agent models`. Never relied on."""

import contextlib
import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edge_agent.durable import write_whole
from edge_agent.inference.in_use import models_dir
from edge_agent.sync.wire import UpdateReport

_log = logging.getLogger(__name__)
_MAX_BYTES = 64 << 10


class Notice(BaseModel):
    """The update under way.

    Attributes:
        report: As the hub is told.
        shed: Windows that the shadow was not shown.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    report: UpdateReport
    shed: int = 0


def post(state_dir: Path, notice: Notice | None) -> None:
    """Write it, or take it away; a disk that refuses is no reason to stop."""
    path = _path(state_dir)
    try:
        if notice is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            write_whole(path, notice.model_dump_json(indent=1).encode())
    except OSError as error:
        _log.debug("%s: %s", path, error)


def read(state_dir: Path) -> Notice | None:
    """The update under way, where the agent says that there is one."""
    with contextlib.suppress(OSError, ValidationError), _path(state_dir).open("rb") as file:
        return Notice.model_validate_json(file.read(_MAX_BYTES))
    return None


def _path(state_dir: Path) -> Path:
    return models_dir(state_dir) / "update.json"
