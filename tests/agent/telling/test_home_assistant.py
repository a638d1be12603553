"""What Home Assistant was told is taken back when it holds no more, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.agent.telling.home_assistant import HomeAssistantWord
from edge_agent.delivery.home_assistant import discovery
from edge_agent.delivery.signals import Letter
from edge_agent.delivery.topics import Topics

TOPICS = Topics("edge_agent", "north", "gw1")


def describing(*machines: str, prefix: str = "homeassistant") -> Callable[[], tuple[Letter, ...]]:
    return lambda: discovery(TOPICS, {machine: [] for machine in machines}, version="0", prefix=prefix)


def taken_back(word: HomeAssistantWord, *, delivered: bool = True) -> list[str]:
    letters = word.opened()
    if delivered:
        for letter in letters:
            word.delivered(letter.topic)
    return [letter.topic for letter in letters if not letter.payload]


def test_a_machine_that_is_gone_is_taken_back_once_the_broker_has_it(tmp_path: Path) -> None:
    assert taken_back(HomeAssistantWord(tmp_path, describing("a", "b"), "homeassistant")) == []
    word = HomeAssistantWord(tmp_path, describing("a"), "homeassistant")
    gone = ["homeassistant/device/edge_agent_north_gw1_b/config"]
    assert taken_back(word, delivered=False) == gone  # the connection broke
    word = HomeAssistantWord(tmp_path, describing("a"), "homeassistant")
    assert taken_back(word) == gone
    assert taken_back(word) == []
    assert taken_back(HomeAssistantWord(tmp_path, describing("a"), "homeassistant")) == []


def test_turned_off_everything_is_taken_back(tmp_path: Path) -> None:
    taken_back(HomeAssistantWord(tmp_path, describing("a"), "homeassistant"))
    word = HomeAssistantWord(tmp_path, None, "homeassistant")
    assert word.filters == ()
    assert len(taken_back(word)) == 2
    assert taken_back(HomeAssistantWord(tmp_path, None, "homeassistant")) == []


def test_another_prefix_leaves_nothing_at_the_former_one(tmp_path: Path) -> None:
    taken_back(HomeAssistantWord(tmp_path, describing("a"), "homeassistant"))
    back = taken_back(HomeAssistantWord(tmp_path, describing("a", prefix="plant/ha"), "plant/ha"))
    assert [topic.split("/")[0] for topic in back] == ["homeassistant", "homeassistant"]


def test_a_machine_that_came_back_before_it_was_taken_back_stays(tmp_path: Path) -> None:
    taken_back(HomeAssistantWord(tmp_path, describing("a", "b"), "homeassistant"))
    taken_back(HomeAssistantWord(tmp_path, describing("a"), "homeassistant"), delivered=False)
    assert taken_back(HomeAssistantWord(tmp_path, describing("a", "b"), "homeassistant")) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"version": 2, "topics": []}',
        b'{"version": 1, "topics": ["homeassistant/device/other/config"]}',
        b'{"version": 1, "topics": ["edge_agent/plant/gw/status"]}',
        b'{"version": 1, "topics": ["+/device/edge_agent_x/config"]}',
    ],
)
def test_a_damaged_file_takes_nothing_back_that_is_not_ours(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home_assistant.json").write_bytes(content)
    assert taken_back(HomeAssistantWord(tmp_path, describing("a"), "homeassistant")) == []
    assert "home_assistant.json cannot be used" in caplog.text
    assert len(taken_back(HomeAssistantWord(tmp_path, None, "homeassistant"))) == 2  # it is whole again


def test_a_disk_that_refuses_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    word = HomeAssistantWord(tmp_path / "gone", describing("a"), "homeassistant")
    assert len(word.opened()) == 2
    word.opened()
    assert caplog.text.count("cannot be written") == 1
