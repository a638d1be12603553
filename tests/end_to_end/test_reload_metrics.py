"""What a reload takes away is told of no more: no alert stays on for a machine or a source that nobody configures."""

import signal

import pytest

from tests.end_to_end.conftest import PUMP, MakeSite, Plant, source
from tests.support.agent import Agent, running
from tests.support.broker import wait_until

pytestmark = pytest.mark.end_to_end


def _lines(agent: Agent, word: str) -> list[str]:
    return [line for line in agent.get("/metrics")[1].splitlines() if f'="{word}"' in line]


def test_a_machine_and_a_source_that_a_reload_removes(plant: Plant, make_site: MakeSite) -> None:
    kept = PUMP + source("film", "pump_1", plant.film, 10.0, loop=True)
    gone = '[[machine]]\nid = "fan_9"\n' + source("absent", "fan_9", plant.film.with_name("nothing.wav"), 1.0)
    site = make_site(kept + gone, None)
    text = site.config.read_text(encoding="utf-8")
    with running(site.config, site.http_port, site.log) as agent:
        agent.wait_ready()
        down = 'edge_agent_source_state{source="absent",state="down"} 1.0'
        wait_until(lambda: down in agent.get("/metrics")[1], 30.0, "the absent source to be down")
        assert 'edge_agent_machine_info{machine="fan_9",profile="none",type="generic"} 1.0' in _lines(agent, "fan_9")
        site.config.write_text(text.replace(gone, ""), encoding="utf-8")
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not _lines(agent, "absent") and not _lines(agent, "fan_9"), 30.0, "silence on both")
        assert _lines(agent, "pump_1")
        assert agent.stop() == 0
