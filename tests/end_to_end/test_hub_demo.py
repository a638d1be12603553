"""The system once round, in a real browser: `make hub-demo`, as CI runs it."""

from pathlib import Path

import pytest

from tests.hub_demo.story import Story
from tests.support.broker import needs_mosquitto
from tests.support.browser import needs_chromium

pytestmark = [pytest.mark.end_to_end, needs_mosquitto, needs_chromium, pytest.mark.xdist_group("hub_demo")]


@pytest.mark.timeout(1500)
def test_clips_in_better_models_out_and_a_bad_one_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    Story(tmp_path, told.append).run()
    with capsys.disabled():
        print("\n" + "\n".join(told))
    assert told[-1].startswith("done")
