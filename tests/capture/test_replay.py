from __future__ import annotations

import numpy as np
import pytest

from edge_agent.capture.files import InputError
from edge_agent.capture.replay import FileSource, StreamSource
from edge_agent.capture.source import Source
from tests.capture.conftest import WriteSound, noise


def samples_of(source: Source) -> np.ndarray:
    return np.concatenate([block.samples for block in source.blocks()])


@pytest.mark.parametrize("block_samples", [1, 160, 65_536, 160_000])
@pytest.mark.parametrize("channels", [(0,), (2, 0), "all"], ids=str)
def test_any_block_size_gives_the_same_samples(
    write_sound: WriteSound, block_samples: int, channels: tuple[int, ...]
) -> None:
    path = write_sound("x.flac", frames=70_001, channels=3, rate_hz=8_000)
    source = FileSource(path, channels=channels, block_samples=block_samples)
    blocks = list(source.blocks())
    assert [len(block.samples) for block in blocks[:-1]] == [block_samples] * (len(blocks) - 1)
    expected = noise(70_001, 3)[:, [0, 1, 2] if channels == "all" else list(channels)]
    np.testing.assert_array_equal(np.concatenate([block.samples for block in blocks]), expected)
    assert (source.frames, source.duration_s) == (70_001, 70_001 / 8_000)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 192_000])
def test_rate_is_the_files_own(write_sound: WriteSound, rate_hz: int) -> None:
    assert FileSource(write_sound("x.wav", rate_hz=rate_hz)).rate_hz == rate_hz


def test_several_channels_need_a_choice(write_sound: WriteSound) -> None:
    path = write_sound("x.wav", channels=2)
    with pytest.raises(InputError, match="2 channels and none was chosen"):
        FileSource(path)
    with pytest.raises(InputError, match=r"not the chosen \[2\]"):
        FileSource(path, channels=(2,))


def test_stream_joins_without_a_seam_and_knows_its_files(write_sound: WriteSound) -> None:
    paths = [write_sound(f"{n}.wav", frames=n) for n in (1000, 1, 2500)]
    stream = StreamSource(paths, block_samples=400)
    np.testing.assert_array_equal(samples_of(stream), np.concatenate([noise(1000), noise(1), noise(2500)]))
    assert stream.frames == 3501
    assert [stream.path_at(sample) for sample in (0, 999, 1000, 1001, 3500, 9999)] == [
        paths[index] for index in (0, 0, 1, 2, 2, 2)
    ]


def test_stream_refuses_a_second_rate_before_anything_is_played(write_sound: WriteSound) -> None:
    paths = [write_sound("a.wav"), write_sound("b.wav", rate_hz=48_000)]
    with pytest.raises(InputError, match=r"b.wav: has 48000 Hz .* has 16000 Hz"):
        StreamSource(paths)


def test_stream_notices_a_file_that_was_changed(write_sound: WriteSound) -> None:
    paths = [write_sound("a.wav"), write_sound("b.wav")]
    stream = StreamSource(paths)
    write_sound("b.wav", frames=10)
    with pytest.raises(InputError, match=r"b.wav: was changed"):
        list(stream.blocks())
