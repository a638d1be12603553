"""`edge-agent run`."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from edge_agent.config.load import load_settings
from edge_agent.config.log import LogSection
from edge_agent.daemon import Daemon
from edge_agent.observe.log import LogFormat, set_up_logging


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the agent's TOML file")


def run(arguments: argparse.Namespace) -> int:
    """Listen until SIGTERM or SIGINT."""
    settings = load_settings(arguments.config, os.environ)
    set_up_logging(
        sys.stderr, log_format=_log_format(settings.log), level=logging.getLevelName(settings.log.level.upper())
    )
    daemon = Daemon(settings, os.environ)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    daemon.run()
    return 0


def _log_format(section: LogSection) -> LogFormat:
    if section.format == "auto":
        return LogFormat.JOURNALD if "JOURNAL_STREAM" in os.environ else LogFormat.TEXT
    return LogFormat.JOURNALD if section.format == "journal" else LogFormat(section.format)
