"""The log of commands that run on."""

import logging
import os
import sys

from edge_agent.observe.log import LogFormat, set_up_logging
from training_hub.config.log import LogSection

_CHATTY = ("httpx", "httpcore", "alembic", "sqlalchemy")


def set_up_log(section: LogSection) -> None:
    """Write to standard error as the settings say; other libraries only from a warning on."""
    level = logging.getLevelNamesMapping()[section.level.upper()]
    if section.format == "auto":
        form = LogFormat.JOURNALD if "JOURNAL_STREAM" in os.environ else LogFormat.TEXT
    else:
        form = LogFormat.JOURNALD if section.format == "journal" else LogFormat(section.format)
    set_up_logging(sys.stderr, log_format=form, level=level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)  # libraries' warnings are lines of the log's format too
