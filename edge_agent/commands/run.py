"""`edge-agent run`."""

import argparse
import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path

from edge_agent.config.check import run_check
from edge_agent.config.load import load_settings
from edge_agent.config.log import LogSection
from edge_agent.daemon import Daemon
from edge_agent.observe.log import LogFormat, set_up_logging
from edge_agent.sync.extra import require


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the agent's TOML file")


def run(arguments: argparse.Namespace) -> int:
    """Listen until SIGTERM or SIGINT; SIGHUP takes over a changed configuration."""
    faulthandler.enable()  # systemd's watchdog ends a hung agent with SIGABRT: the log then shows where it hung
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a reload asked for while starting: what is read is new enough
    settings = load_settings(arguments.config, os.environ)
    if settings.hub.enabled:
        require(arguments.config, "hub.enabled")
    _set_up_log(settings.log)
    daemon = Daemon(settings, os.environ, load=lambda: run_check(arguments.config, os.environ), set_up_log=_set_up_log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    signal.signal(signal.SIGHUP, lambda *_: daemon.reload())
    daemon.run()
    return 0


def _set_up_log(section: LogSection) -> None:
    level = logging.getLevelNamesMapping()[section.level.upper()]
    set_up_logging(sys.stderr, log_format=_log_format(section), level=level)


def _log_format(section: LogSection) -> LogFormat:
    if section.format == "auto":
        return LogFormat.JOURNALD if "JOURNAL_STREAM" in os.environ else LogFormat.TEXT
    return LogFormat.JOURNALD if section.format == "journal" else LogFormat(section.format)
