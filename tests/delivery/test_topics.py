from __future__ import annotations

import pytest

from edge_agent.delivery.errors import DeliveryError
from edge_agent.delivery.topics import Topics

TOPICS = Topics("acme/sound", "north", "gw1")


def test_every_topic_is_the_agreed_one() -> None:
    base = "acme/sound/north/gw1"
    assert TOPICS.status == f"{base}/status"
    assert TOPICS.commands == f"{base}/cmd/+"
    assert TOPICS.command("shelve") == f"{base}/cmd/shelve"
    assert TOPICS.command_reply("shelve") == f"{base}/cmd/shelve/reply"
    assert TOPICS.machine_fault("m", "hum") == f"{base}/machine/m/fault/hum"
    assert TOPICS.plant_alarm == f"{base}/alarm"
    assert TOPICS.source_state("mic") == f"{base}/source/mic/state"
    assert TOPICS.machine_result("m") == f"{base}/machine/m/result"
    assert TOPICS.machine_alarm("m") == f"{base}/machine/m/alarm"
    assert TOPICS.machine_health("m") == f"{base}/machine/m/health"


@pytest.mark.parametrize(
    ("topic", "verb"),
    [
        ("acme/sound/north/gw1/cmd/shelve", "shelve"),
        ("acme/sound/north/gw1/cmd/shelve/reply", None),
        ("acme/sound/north/gw1/cmd/", ""),
        ("acme/sound/north/gw2/cmd/shelve", None),
        ("acme/sound/north/gw1/cmd/Shelve it", "Shelve it"),
        ("cmd/shelve", None),
    ],
)
def test_a_command_is_known_by_its_topic(topic: str, verb: str | None) -> None:
    assert TOPICS.verb_of(topic) == verb


@pytest.mark.parametrize("bad", ["", "#", "+", "a/b", "a b", "-a", ".a", "a\n", "a\0", "ä", "x" * 65, "a/#"])
def test_no_name_smuggles_a_level_or_wildcard(bad: str) -> None:
    with pytest.raises(DeliveryError, match="topic"):
        TOPICS.machine_result(bad)
    with pytest.raises(DeliveryError):
        TOPICS.source_state(bad)
    with pytest.raises(DeliveryError):
        Topics("root", bad, "gw1")
    with pytest.raises(DeliveryError):
        Topics("root", "north", bad)
    if bad != "a/b":
        with pytest.raises(DeliveryError):
            Topics(bad, "north", "gw1")
