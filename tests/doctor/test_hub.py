"""What the doctor says of the hub: whether it answers, why not, and which clips are held back."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config.settings import AgentSettings
from edge_agent.doctor.finding import Finding, State
from edge_agent.doctor.hub import examine_hub
from edge_agent.sync.marks import Aside, SyncMarks
from tests.support.contract_hub import Answer, ContractHub
from tests.sync.gateway import Gateway


def _found(gateway: Gateway) -> list[Finding]:
    return list(examine_hub(gateway.settings, {}, gateway.state_dir))


def test_without_a_hub_all_is_well(tmp_path: Path) -> None:
    assert [f.state for f in examine_hub(AgentSettings(), {}, tmp_path)] == [State.OK]


def test_a_hub_that_knows_the_gateway(tmp_path: Path) -> None:
    with ContractHub() as hub:
        gateway = Gateway(tmp_path, hub.url)
        assert [(f.state, "knows this gateway" in f.summary) for f in _found(gateway)] == [(State.OK, True)]
        SyncMarks(gateway.state_dir).set_aside(gateway.keep(1)[0].id, Aside.REFUSED, "415: odd")
        found = _found(gateway)
        assert found[-1].state is State.WARN and "415: odd" in found[-1].summary and "sync retry" in found[-1].mend


ANSWERS: dict[str, tuple[Answer, str]] = {
    "denied": ((401, {}, b""), "new-key"),
    "busy": ((503, {}, b""), "asked again"),
    "failing": ((500, {}, b""), "hub.url right"),
    "another server": ((200, {}, b"<html>"), "versions that fit"),
    "nothing there": ((404, {}, b""), "versions that fit"),
}


@pytest.mark.parametrize(("answer", "mend"), ANSWERS.values(), ids=ANSWERS)
def test_each_trouble_has_its_mend(tmp_path: Path, answer: Answer, mend: str) -> None:
    with ContractHub() as hub:
        hub.answer_with = lambda _method, _path: answer
        (found,) = _found(Gateway(tmp_path, hub.url))
    assert found.state is State.WARN and mend in found.mend


def test_a_hub_that_is_away(tmp_path: Path) -> None:
    with ContractHub() as hub:
        gateway = Gateway(tmp_path, hub.url)
    (found,) = _found(gateway)
    assert found.state is State.WARN and "cannot be reached" in found.summary


def test_a_key_that_cannot_be_read(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, "https://hub.example")
    (tmp_path / "hub_key").chmod(0o644)
    (found,) = _found(gateway)
    assert found.state is State.FAIL and "open to others" in found.summary
