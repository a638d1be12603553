"""`training-hub listen`."""

import argparse
import os

from training_hub.commands._settings import add_settings_arguments, settings_of

NAME = "listen"
HELP = "hear the brokers of the settings without a web server; hubs and listeners of a group share the messages"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_settings_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Listen until SIGTERM or SIGINT."""
    import signal  # noqa: PLC0415  # quick --help
    import threading  # noqa: PLC0415

    from edge_agent.observe.systemd import SystemdNotifier  # noqa: PLC0415
    from training_hub.catalogue.migrate import migrate  # noqa: PLC0415
    from training_hub.commands._log import set_up_log  # noqa: PLC0415
    from training_hub.companions.brokers import make  # noqa: PLC0415
    from training_hub.errors import HubError  # noqa: PLC0415
    from training_hub.opening import open_parts  # noqa: PLC0415

    settings = settings_of(arguments)
    set_up_log(settings.log)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    notifier = SystemdNotifier.from_environment(os.environ, pid=os.getpid())
    with open_parts(settings, os.environ) as parts:
        migrate(parts.database)
        listeners = make(parts, os.environ, "listen")
        if listeners is None:
            raise HubError("the settings name no broker; add [[mqtt]]")
        listeners.start()
        notifier.ready()
        try:
            while not stop.wait(1.0):
                if not listeners.alive():
                    raise HubError("a listener ended; the log says why")
                notifier.watchdog()
        finally:
            notifier.stopping()
            listeners.stop()
    return 0
