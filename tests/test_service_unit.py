from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.service_unit import CONFIG, UNIT, plan_service

UNIT_TEXT = "[Service]\nType=notify\nExecStart=/opt/edge-agent/bin/edge-agent run --config /etc/x\nRestart=always\n"


@pytest.mark.parametrize(
    ("program", "start"),
    [
        ("/srv/bin/edge-agent", "/srv/bin/edge-agent"),
        ("/srv/my agent/edge-agent", '"/srv/my agent/edge-agent"'),
        ("/srv/50%/edge-agent", "/srv/50%%/edge-agent"),
        ('/srv/"q"/edge-agent', '"/srv/\\"q\\"/edge-agent"'),
    ],
    ids=["plain", "blank", "percent", "quote"],
)
def test_the_unit_runs_the_given_program_and_is_the_shipped_one_else(program: str, start: str) -> None:
    plan = plan_service(UNIT_TEXT, "", program=Path(program), root=Path("/"))
    assert plan.files[Path("/") / UNIT] == UNIT_TEXT.replace("/opt/edge-agent/bin/edge-agent", start)


def test_all_files_lie_below_the_root_and_the_operator_keeps_his() -> None:
    root = Path("/mnt/image")
    plan = plan_service(UNIT_TEXT, "text", program=Path("/srv/edge-agent"), root=root)
    assert set(plan.files) == {root / UNIT, root / CONFIG}
    assert plan.kept == {root / CONFIG}
