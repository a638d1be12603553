"""What the driver of the speed comparison says of its figures."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from benchmarks.speed.peers.__main__ import KEPT, NAMES
from benchmarks.speed.peers.judge import Figures, losses, ratios_to
from benchmarks.speed.peers.picture import svg


def test_ratios_are_medians_of_rounds_not_ratios_of_medians() -> None:
    rounds = [{"a": 1.0, "b": 10.0}, {"a": 3.0, "b": 27.0}, {"a": 2.0, "b": 40.0}]
    assert ratios_to("a", rounds) == {"b": 10.0}


@pytest.mark.parametrize(("now", "lost"), [(8.6, 0), (8.4, 1), (99.0, 0)])
def test_a_loss_of_more_than_fifteen_percent_is_told(now: float, lost: int) -> None:
    assert len(losses({"b": now, "new": 1.0}, {"b": 10.0, "gone": 2.0})) == lost


def test_the_kept_figures_are_those_of_every_contestant() -> None:
    kept = Figures.read(KEPT)
    assert set(kept.window_ms) == set(NAMES)
    assert set(kept.ratios) == set(NAMES) - {"edge-agent"}
    assert kept.ratios["kernels"] < 1 < min(v for k, v in kept.ratios.items() if k != "kernels")


def test_the_picture_names_every_contestant_and_is_xml() -> None:
    kept = replace(Figures.read(KEPT), cpu="A <fast> & odd one")
    texts = [node.text for node in ET.fromstring(svg(kept, NAMES)).iter("{http://www.w3.org/2000/svg}text")]
    assert set(NAMES.values()) <= set(texts)
    assert any("A <fast> & odd one" in (text or "") for text in texts)
