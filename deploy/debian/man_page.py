"""The manual page, made from the command line's own parsers so that both say the same."""

import argparse
import importlib
from collections.abc import Iterator

import edge_agent
from edge_agent.cli import COMMANDS, command_module

_HEAD = r""".TH EDGE\-AGENT 1 "" "edge\-agent {version}" "User Commands"
.SH NAME
edge\-agent, edge\-agent\-as\-service \- hears that a machine is failing
.SH SYNOPSIS
.B edge\-agent
.I COMMAND
.RI [ options ]
.SH DESCRIPTION
The agent listens to factory machines through microphones, scores every window of sound against what commissioning
learnt of each machine, and publishes results and alarms by MQTT and Prometheus metrics.
"""
_TAIL = r""".SH AS THE SERVICE
.B edge\-agent\-as\-service
.I COMMAND
runs a command with the user, the state and the secrets of the service: for commission, profiles and doctor on a gateway
where the service listens. It needs root.
.SH FILES
.TP
.I /etc/edge\-agent/agent.toml
The configuration of the service.
.TP
.I /etc/edge\-agent/mqtt_password, http_token, mqtt_tls.key
Secrets of the service (root, mode 0600), which it sees as the credentials mqtt_password,
http_token, mqtt_tls_key, hub_key and hub_tls_key.
.TP
.I /var/lib/edge\-agent
Profiles, events that wait for the broker, models.
.SH SIGNALS
.TP
.B SIGHUP
Takes over what changed in the configuration; a bad one is refused as a whole, with a line in the log for each problem.
.TP
.B SIGTERM
Hands over what was captured and ends.
.SH EXIT STATUS
0 done, 1 failed, 2 wrong usage, 78 bad configuration.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
"""


def man_page() -> str:
    """The page as roff."""
    commands = (_command(name, summary) for name, summary in COMMANDS.items())
    return _HEAD.format(version=edge_agent.__version__) + ".SH COMMANDS\n" + "".join(commands) + _TAIL


def _command(name: str, summary: str) -> str:
    parser = argparse.ArgumentParser(prog=f"edge-agent {name}")
    importlib.import_module(command_module(name)).configure(parser)
    usage = parser.format_usage().removeprefix("usage: edge-agent ").split()
    lines = [f".SS {_plain(' '.join(usage))}", _plain(summary[0].upper() + summary[1:] + ".")]
    return "\n".join([*lines, *_options(parser)]) + "\n"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    # argparse has no public way to walk its actions; format_help would lose which text belongs to which
    for action in parser._actions:
        if not action.help or "-h" in action.option_strings:
            continue
        value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        names = ", ".join(action.option_strings) or value
        if action.option_strings and action.nargs != 0:
            names += f" {value}"
        yield ".TP"
        yield f".B {_plain(names)}"
        yield _plain(action.help % {**vars(action), "prog": parser.prog})


def _plain(text: str) -> str:
    """Text that roff takes as it stands."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    print(man_page(), end="")
