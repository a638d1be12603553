"""`training-hub worker`."""

import argparse
import os

from training_hub.commands._settings import add_settings_arguments, settings_of

NAME = "worker"
HELP = "do the hub's jobs: features, retraining; as many workers as wanted, on any machine that reaches the database"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_settings_arguments(parser)
    parser.add_argument("--jobs", type=int, metavar="N", help="jobs at a time (default: jobs.workers)")


def run(arguments: argparse.Namespace) -> int:
    """Work until SIGTERM or Ctrl-C; running jobs are put back for another worker."""
    import logging  # noqa: PLC0415  # quick --help
    import signal  # noqa: PLC0415

    from edge_agent.observe.systemd import SystemdNotifier  # noqa: PLC0415
    from training_hub.catalogue.migrate import migrate  # noqa: PLC0415
    from training_hub.commands._log import set_up_log  # noqa: PLC0415
    from training_hub.companions.retention import retention_of_files  # noqa: PLC0415
    from training_hub.jobs.worker import Worker  # noqa: PLC0415
    from training_hub.opening import open_parts  # noqa: PLC0415

    settings = settings_of(arguments)
    set_up_log(settings.log)
    with open_parts(settings, os.environ) as parts:
        migrate(parts.database)
        notifier = SystemdNotifier.from_environment(os.environ, pid=os.getpid())
        worker = Worker(parts, slots=arguments.jobs or settings.jobs.workers, notifier=notifier)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        beside = retention_of_files(parts)
        beside.start()
        try:
            worker.run()
        finally:
            beside.stop()
    logging.getLogger("training_hub").info("the worker has ended")
    return 0
