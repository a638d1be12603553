"""Recordings through the live path: names, books, and what is left out."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.hearing import offline
from edge_agent.agent.hearing.offline import Books, OfflineAnalyser, OfflineWindow, Refused
from edge_agent.capture.audio_file import AudioFile
from edge_agent.capture.files import InputError
from edge_agent.capture.source import SourceError
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.pipeline.policy import Unscorable
from edge_agent.pipeline.window import WindowShape
from edge_agent.signal.logmel import log_mel_db
from tests.support.agent import BUNDLE, machine_sound, write_sound


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(BUNDLE)


def _analyser(bundle: Bundle, **options: object) -> OfflineAnalyser:
    return OfflineAnalyser(bundle, WindowShape(3.0, 3.0), **options)  # type: ignore[arg-type]  # test data


def test_windows_of_a_file_and_its_books(bundle: Bundle, tmp_path: Path) -> None:
    analyser = _analyser(bundle)
    items = list(analyser.recording(write_sound(tmp_path / "a.wav", machine_sound(7.0))))
    assert [(item.begins_recording, item.rejected) for item in items] == [
        (True, None), (False, None), (False, Unscorable.TAIL),
    ]  # fmt: skip
    assert {item.name for item in items} == {str(tmp_path / "a.wav")}
    books = analyser.books
    assert (books.captured_s, books.scored_s, books.skipped_s) == (7.0, 6.0, 1.0)


@pytest.mark.parametrize("hop_s", [3.0, 1.1])
def test_how_many_windows_a_step_takes_changes_none(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hop_s: float
) -> None:
    """Files of several lengths, channels and rates, clips, and one that is no sound."""
    write_sound(tmp_path / "a.wav", machine_sound(40.0, seed=1))
    write_sound(tmp_path / "b.flac", machine_sound(2.0, seed=2))
    (tmp_path / "c.wav").write_text("no sound", encoding="utf-8")
    write_sound(tmp_path / "d.wav", machine_sound(13.0, 44_100, seed=3), 44_100)
    np.savez(tmp_path / "e.npz", log_mel_db=log_mel_db(machine_sound(5.0, seed=4))[None])
    write_sound(tmp_path / "f.wav", machine_sound(3.0, seed=5))
    paths = sorted(tmp_path.iterdir())

    def heard(most: int) -> tuple[list[object], Books]:
        monkeypatch.setattr(offline, "STEP_WINDOWS", most)
        analyser = OfflineAnalyser(bundle, WindowShape(3.0, hop_s), block_samples=16_000)
        steps = list(analyser.recordings(paths))
        assert max(len(step) for step in steps) <= most + 4  # a block, or a file's end, may close several
        return [_key(item) for item in chain.from_iterable(steps)], analyser.books

    one, many = heard(1), heard(16)
    assert one == many
    assert [str(each) for each in one[0] if isinstance(each, str)] == [str(tmp_path / "c.wav")]
    assert one[1].captured_s == pytest.approx(63.0, abs=0.1) and one[1].scored_s > 55.0


def _key(item: OfflineWindow | Refused) -> object:
    if isinstance(item, Refused):
        return str(item.error).split(":", maxsplit=1)[0]
    window = item.window
    arrays = (window.features.log_mel_db, window.features.embeddings, window.features.logits)
    return (
        item.name, item.begins_recording, item.rejected, window.index, window.start, window.stop, window.level,
        *(array.tobytes() for array in arrays),
    )  # fmt: skip


def test_a_recording_that_breaks_off_gives_what_it_had(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its windows come before the complaint; books are of whole recordings only."""
    paths = [write_sound(tmp_path / f"{index}.wav", machine_sound(10.0, seed=index)) for index in range(3)]
    read = AudioFile.read

    def breaking(file: AudioFile, first: int, n: int) -> np.ndarray:
        if file.path == paths[1] and first > 0:
            raise SourceError(f"{file.path}: broke off")
        return read(file, first, n)

    monkeypatch.setattr(AudioFile, "read", breaking)
    analyser = _analyser(bundle, block_samples=70_000)
    items = list(chain.from_iterable(analyser.recordings(paths)))
    assert ["broke" if isinstance(item, Refused) else item.path.name for item in items] == [
        *["0.wav"] * 4, "1.wav", "broke", *["2.wav"] * 4,
    ]  # fmt: skip
    assert analyser.books.captured_s == 20.0


def test_clips_are_recordings_of_their_own(bundle: Bundle, tmp_path: Path) -> None:
    clips = np.stack([log_mel_db(machine_sound(5.0, seed=seed)) for seed in range(2)])
    np.savez(tmp_path / "c.npz", log_mel_db=clips, machine_id=np.array(["a", "b"]))
    analyser = _analyser(bundle)
    items = list(analyser.recording(tmp_path / "c.npz"))
    assert [(item.clip, item.machine_id, item.begins_recording) for item in items] == [(0, "a", True), (1, "b", True)]
    assert items[1].name == f"{tmp_path / 'c.npz'}[1]"
    assert analyser.books.captured_s == analyser.books.scored_s == sum(item.window.duration_s for item in items)


def test_a_stream_knows_which_file_a_window_begins_in(bundle: Bundle, tmp_path: Path) -> None:
    paths = [write_sound(tmp_path / f"{index}.wav", machine_sound(4.0, seed=index)) for index in range(3)]
    analyser = _analyser(bundle)
    items = list(chain.from_iterable(analyser.stream(paths)))
    assert [item.path.name for item in items] == ["0.wav", "0.wav", "1.wav", "2.wav"]
    assert [item.begins_recording for item in items] == [True, False, False, False]
    assert analyser.books.scored_s == 12.0


def test_every_channel_has_books_of_its_own(bundle: Bundle, tmp_path: Path) -> None:
    sound = np.stack([machine_sound(3.0, seed=seed) for seed in range(3)], axis=1)
    analyser = _analyser(bundle, channels=(2, 0))
    items = list(analyser.recording(write_sound(tmp_path / "a.wav", sound)))
    assert [item.channel for item in items] == [0, 1]
    assert analyser.books.captured_s == 6.0
    alone = next(_analyser(bundle).recording(write_sound(tmp_path / "b.wav", sound[:, 2])))
    assert items[0].window.features.embeddings.tobytes() == alone.window.features.embeddings.tobytes()


def test_a_refused_file_yields_nothing_and_is_in_no_book(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("no sound", encoding="utf-8")
    analyser = _analyser(bundle)
    with pytest.raises(InputError, match=r"x\.wav"):
        next(analyser.recording(tmp_path / "x.wav"))
    good = write_sound(tmp_path / "a.wav", machine_sound(4.0))
    with pytest.raises(InputError, match=r"x\.wav"):
        next(analyser.stream([good, tmp_path / "x.wav"]))
    assert analyser.books.captured_s == 0.0
