"""`training-hub serve`."""

import argparse
import os
from contextlib import closing

from training_hub.commands._settings import add_settings_arguments, settings_of

NAME = "serve"
HELP = "run the hub: its API and pages, and beside them the worker and what listens to brokers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_settings_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    import logging  # noqa: PLC0415  # quick --help

    from training_hub.commands._log import set_up_log  # noqa: PLC0415

    settings = settings_of(arguments)
    set_up_log(settings.log)  # before what follows is imported, which may warn
    from training_hub.api.app import make_app  # noqa: PLC0415
    from training_hub.catalogue.migrate import migrate  # noqa: PLC0415
    from training_hub.companions import discover  # noqa: PLC0415
    from training_hub.opening import open_parts  # noqa: PLC0415
    from training_hub.serving.server import HubServer, listen  # noqa: PLC0415

    log = logging.getLogger("training_hub")
    with closing(listen(settings.server)) as listener, open_parts(settings, os.environ) as parts:
        migrate(parts.database)
        app = make_app(parts, os.environ, tuple(discover(parts, os.environ)))
        HubServer(
            app, settings.server, os.environ, lambda address: log.info("the hub answers at %s", address)
        ).serve_on(listener)
    log.info("the hub has ended")
    return 0
