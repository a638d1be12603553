"""Configured sources, opened."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge_agent.capture.source import Source, SourceError
from edge_agent.config.load import load_settings
from edge_agent.sources import is_live, source_opener, stamps_by_arrival
from tests.support.agent import machine_sound, write_sound


def _open(tmp_path: Path, source: str, *, machine_type: str = "generic") -> Source:
    text = f'[[machine]]\nid = "m"\ntype = "{machine_type}"\n[[source]]\nid = "s"\n{source}\n'
    if "[[source.channel]]" not in source:
        text += '[[source.channel]]\nmachine = "m"\n'
    (tmp_path / "agent.toml").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path / "agent.toml", {})
    return source_opener(settings.source[0], settings)()


def _first(source: Source, blocks: int) -> np.ndarray:
    try:
        return np.concatenate([block.samples for block in islice(source.blocks(), blocks)])
    finally:
        source.close()


def test_recordings_are_played_in_order_at_their_own_rate(tmp_path: Path) -> None:
    for index, level in enumerate((0.1, 0.2)):
        write_sound(tmp_path / f"{index}.wav", np.full(4_410, level, np.float32), 44_100)
    source = _open(tmp_path, f'kind = "replay"\npaths = ["{tmp_path}/*.wav"]\nspeed = 10000.0')
    assert (source.rate_hz, source.channels, source.source_id) == (44_100, 1, "s")
    heard = np.concatenate([block.samples[:, 0] for block in source.blocks()])
    assert len(heard) == 8_820
    assert heard[0] == pytest.approx(0.1, abs=1e-4)
    assert heard[-1] == pytest.approx(0.2, abs=1e-4)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('kind = "replay"\npaths = ["/nowhere/x.wav"]', "/nowhere/x.wav: does not exist"),
        ('kind = "replay"\npaths = ["{0}/mono.wav"]\n[[source.channel]]\nindex = 3\nmachine = "m"',
         "its recordings have 1 channels, channel 3 is heard"),
        ('kind = "simulated"\nmachine_type = "toaster"', "'toaster' cannot be simulated; these can: fan, pump"),
        ('kind = "simulated"\nfault = "melting"', "melting"),
    ],
    ids=["absent", "channel", "machine type", "fault"],
)  # fmt: skip
def test_what_cannot_be_opened_says_why(tmp_path: Path, source: str, says: str) -> None:
    write_sound(tmp_path / "mono.wav", machine_sound(1.0))
    with pytest.raises(SourceError, match=says):
        _open(tmp_path, source.replace("{0}", str(tmp_path)))


def test_a_simulated_machine_sounds_like_itself_again(tmp_path: Path) -> None:
    words = 'kind = "simulated"\nspeed = 10000.0\nseed = {}'
    one, again = (_first(_open(tmp_path, words.format(1), machine_type="pump"), 20) for _ in range(2))
    other = _first(_open(tmp_path, words.format(2), machine_type="pump"), 20)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_simulated_fault_begins_when_it_is_configured_to(tmp_path: Path) -> None:
    words = 'kind = "simulated"\nspeed = 10000.0'
    fault = 'fault = "cavitation"\nfault_after_s = 1.0\nseverity = 1.0'
    healthy = _first(_open(tmp_path, words, machine_type="pump"), 40)
    failing = _first(_open(tmp_path, f"{words}\n{fault}", machine_type="pump"), 40)
    assert np.array_equal(healthy[:8_000], failing[:8_000])
    assert np.std(failing[24_000:] - healthy[24_000:]) > 0.1 * np.std(healthy)


def test_every_channel_that_is_heard_is_there(tmp_path: Path) -> None:
    source = _open(tmp_path, 'kind = "simulated"\nspeed = 10000.0\n[[source.channel]]\nindex = 2\nmachine = "m"')
    assert source.channels == 3
    assert _first(source, 2).shape == (2_048, 3)


@pytest.mark.parametrize(
    ("source", "live", "by_arrival"),
    [
        ('kind = "microphone"\ndevice = "usb:1-1"', True, True),
        ('kind = "replay"\npaths = ["x"]', False, True),
        ('kind = "replay"\npaths = ["x"]\nspeed = 2.0', False, False),
        ('kind = "simulated"', False, True),
    ],
)
def test_what_time_means_to_it(tmp_path: Path, source: str, live: bool, by_arrival: bool) -> None:
    text = f'[[machine]]\nid = "m"\n[[source]]\nid = "s"\n{source}\n[[source.channel]]\nmachine = "m"\n'
    (tmp_path / "agent.toml").write_text(text, encoding="utf-8")
    (section,) = load_settings(tmp_path / "agent.toml", {}).source
    assert (is_live(section), stamps_by_arrival(section)) == (live, by_arrival)
