from __future__ import annotations

import numpy as np
import pytest

from edge_agent.capture.level_meter import ChannelLevel, levels_of, render, watch_levels
from edge_agent.capture.replay import FileSource
from tests.capture.conftest import WriteSound
from tests.support.tones import tone


def test_levels_are_those_of_the_definition() -> None:
    samples = np.stack([tone(1000, 1, 16_000, 0.5), np.zeros(16_000, np.float32), np.ones(16_000, np.float32)], axis=1)
    sine, silence, clipped = levels_of(samples)
    assert sine.rms_dbfs == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.1)
    assert sine.peak_dbfs == pytest.approx(-6.0, abs=0.1)
    assert silence == ChannelLevel(None, None, 0), "silence is no number of decibels"
    assert clipped == ChannelLevel(0.0, 0.0, 16_000)


def test_meter_reads_so_long_and_closes(write_sound: WriteSound) -> None:
    source = FileSource(write_sound("long.wav", frames=16_000 * 3), block_samples=1600)
    assert len(list(watch_levels(source, every_s=0.5, seconds=2.0))) == 4
    with pytest.raises(Exception, match="closed"):
        source.blocks()


@pytest.mark.parametrize(
    ("level", "bar"), [(-90.0, "    "), (-45.0, "##  "), (0.0, "####"), (3.0, "####"), (-200.0, "    ")]
)
def test_bar_stays_within_its_box(level: float, bar: str) -> None:
    assert f"[{bar}]" in render((ChannelLevel(level, level, 0),), width=4)


def test_clipping_is_shouted() -> None:
    assert "CLIPPED 3" in render((ChannelLevel(-1.0, 0.0, 3),))
