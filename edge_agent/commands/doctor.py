"""`edge-agent doctor`."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from edge_agent.doctor.examine import examine, exit_status
from edge_agent.doctor.page import as_json, as_text
from edge_agent.doctor.support import write_support_bundle


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the agent's TOML file")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a page")
    parser.add_argument(
        "--bundle-file",
        type=Path,
        metavar="FILE.tar.gz",
        help="also write all that support needs into a new file; it holds no secret and no sound",
    )


def run(arguments: argparse.Namespace) -> int:
    """Examine, print, and tell by the exit status: 0 if the agent can do its work, 1 if something must be mended."""
    environ = _environ(arguments.config)
    examination = examine(arguments.config, environ)
    print(as_json(examination.findings) if arguments.json else as_text(examination.findings))
    if arguments.bundle_file is not None:
        names = write_support_bundle(arguments.bundle_file, examination, environ)
        print(f"wrote {arguments.bundle_file}: {', '.join(names)}", file=sys.stderr)
    return exit_status(examination)


def _environ(config: Path | None) -> Mapping[str, str]:
    """The environment; secrets that the service gets as credentials lie beside its configuration."""
    if config is None or "CREDENTIALS_DIRECTORY" in os.environ:
        return os.environ
    return {**os.environ, "CREDENTIALS_DIRECTORY": str(config.resolve().parent)}
