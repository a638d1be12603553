"""States as numbers: a family with one series per state becomes one series of the state's index."""

from collections.abc import Sequence

SOURCE_STATES = (("up", "green"), ("starting", "blue"), ("degraded", "orange"), ("down", "red"))
ALARM_STATES = (
    ("normal", "green"), ("unacknowledged", "red"), ("acknowledged", "orange"), ("returned_unacknowledged", "yellow"),
    ("latched", "purple"), ("suppressed", "light-red"), ("shelved", "blue"), ("out_of_service", "light-blue"),
)  # fmt: skip
PROFILES = (("none", "red"), ("provisional", "orange"), ("calibrated", "green"))
INPUTS = (("fine", "green"), ("unfit", "red"))
HEARD = (("not heard", "red"), ("heard", "green"))
NOTHING_KNOWN = (-1, "nothing known", "text")
"""What is shown instead of "normal" where nobody could know it."""


def index_of_state(family: str, matchers: str, by: str, states: Sequence[tuple[str, str]]) -> str:
    """The expression; the first state is 0.

    >>> index_of_state("s", 'i="1"', "source", (("up", "green"), ("down", "red")))
    'sum by (source) (0 * s{i="1",state="up"}) + sum by (source) (1 * s{i="1",state="down"})'
    """
    return " + ".join(
        f'sum by ({by}) ({index} * {family}{{{matchers},state="{name}"}})' for index, (name, _) in enumerate(states)
    )


def named(states: Sequence[tuple[str, str]]) -> list[tuple[int, str, str]]:
    """Number, word and colour of each state."""
    return [(index, name.replace("_", " "), colour) for index, (name, colour) in enumerate(states)]


def index_of_profile(matchers: str) -> str:
    """What was learnt of each machine, as the place of its profile in `PROFILES`.

    >>> index_of_profile('i="1"')[:65]
    'max by (instance, machine) (0 * edge_agent_machine_info{i="1",pro'
    """
    return " or ".join(
        f'max by (instance, machine) ({index} * edge_agent_machine_info{{{matchers},profile="{name}"}})'
        for index, (name, _) in enumerate(PROFILES)
    )
