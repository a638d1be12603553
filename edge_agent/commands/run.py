"""`edge-agent run`."""

import argparse
import faulthandler
import logging
import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.config.check import run_check
from edge_agent.config.load import load_settings
from edge_agent.config.log import LogSection
from edge_agent.config.settings import AgentSettings
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import read_in_use
from edge_agent.inference.probe import ModelProbe, early_probe
from edge_agent.lasting import lasting
from edge_agent.observe.log import LogFormat, set_up_logging
from edge_agent.sync.extra import require

if TYPE_CHECKING:
    from edge_agent.daemon import Daemon


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
    daemon = _daemon(settings, arguments.config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    signal.signal(signal.SIGHUP, lambda *_: daemon.reload())
    daemon.run()
    return 0


def _daemon(settings: AgentSettings, config: Path | None) -> "Daemon":
    with _probing(settings) as early:
        with lasting():  # while the probe runs: two thirds of what there is to import
            from edge_agent.daemon import Daemon  # noqa: PLC0415
        return Daemon(
            settings,
            os.environ,
            load=lambda: run_check(config, os.environ),
            set_up_log=_set_up_log,
            early=early,
        )


def _probing(settings: AgentSettings) -> AbstractContextManager[ModelProbe | None]:
    """The configured bundle's model on trial, where it will be loaded: one from the hub is signed, and not tried."""
    state_dir = settings.agent.resolve_state_dir(os.environ)
    try:
        signed = read_in_use(state_dir) is not None
    except BundleError:  # told where it is read for good
        signed = False
    early = None if signed else early_probe(settings.model.configured_bundle(state_dir))
    return nullcontext() if early is None else early


def _set_up_log(section: LogSection) -> None:
    level = logging.getLevelNamesMapping()[section.level.upper()]
    set_up_logging(sys.stderr, log_format=_log_format(section), level=level)


def _log_format(section: LogSection) -> LogFormat:
    if section.format == "auto":
        return LogFormat.JOURNALD if "JOURNAL_STREAM" in os.environ else LogFormat.TEXT
    return LogFormat.JOURNALD if section.format == "journal" else LogFormat(section.format)
