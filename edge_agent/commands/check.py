"""`edge-agent check`."""

import argparse
import os
import sys
from pathlib import Path

from edge_agent.config.check import run_check
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.errors import BundleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the agent's TOML file")


def run(arguments: argparse.Namespace) -> int:
    """Print every problem and warning, one per line; 0 if the agent can start, else 78."""
    report = run_check(arguments.config, os.environ)
    for problem in report.problems:
        print(problem, file=sys.stderr)
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if report.settings is None or not report.ok:
        return 78
    state = report.settings.agent.resolve_state_dir(os.environ)
    try:
        bundle = load_bundle(report.settings.model.resolve_bundle(state))
    except BundleError as error:
        print(error, file=sys.stderr)
        return 78
    machines, sources = len(report.settings.machine), len(report.settings.source)
    reference = bundle.ref
    print(f"ok: {sources} sources, {machines} machines, bundle {reference.name} {reference.version} verified")
    return 0
