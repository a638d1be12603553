"""`training-hub worker`."""

import argparse
from pathlib import Path

NAME = "worker"
HELP = "do the hub's jobs: features, retraining, evaluation; as many workers as wanted, on any machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings of the hub (default: defaults)")
    parser.add_argument("--jobs", type=int, metavar="N", help="jobs at a time (default: jobs.workers)")


def run(arguments: argparse.Namespace) -> int:
    """Work until SIGTERM or Ctrl-C; running jobs are put back for another worker."""
    import logging  # noqa: PLC0415  # quick --help
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from edge_agent.settings.load import load  # noqa: PLC0415
    from training_hub.config.settings import HubSettings  # noqa: PLC0415
    from training_hub.jobs.worker import Worker  # noqa: PLC0415
    from training_hub.opening import open_parts  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    settings = load(HubSettings, arguments.config, os.environ)
    with open_parts(settings, os.environ) as parts:
        worker = Worker(parts, slots=arguments.jobs or settings.jobs.workers)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        worker.run()
    return 0
