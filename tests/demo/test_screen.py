"""The live table fits terminals."""

import io

import pytest

from tests.demo.test_story import _story

pytest.importorskip("rich", reason="the live table needs the extra demo")


@pytest.mark.parametrize("width", [80, 118, 200])
def test_every_line_fits_and_the_story_is_told(width: int) -> None:
    from rich.console import Console

    from edge_agent.demo.screen import Screen

    console = Console(width=width, height=30, file=io.StringIO(), record=True)
    console.print(Screen("a pump", console).picture(_story(30.0)))
    text = console.export_text()
    assert max(len(line) for line in text.splitlines()) <= width
    for expected in ("0.50", "ALARM raised at 0:30", "it whistles", "7 published, 7 received", "10.0 s = 10.0 scored"):
        assert expected in text


def test_a_quiet_machine_shows_no_alarm() -> None:
    from rich.console import Console

    from edge_agent.demo.screen import Screen

    console = Console(width=100, height=30, file=io.StringIO(), record=True)
    console.print(Screen("a pump", console).picture(_story(None)))
    assert "no alarm" in console.export_text()
