"""Hostile input: each is refused with one line that names it, and leaves nothing behind."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_agent.detection.profile import Profile
from edge_agent.signal.logmel import log_mel_db
from tests.support.agent import BUNDLE, Shell, copy_bundle, machine_sound, tree, write_sound


def _text(path: Path) -> None:
    path.write_text("RIFF is only a word here\n" * 100, encoding="utf-8")


def _truncated(path: Path) -> None:
    write_sound(path, machine_sound(10.0))
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    path.touch()


def _header_only(path: Path) -> None:
    write_sound(path, np.zeros(0, np.float32))


def _nan(path: Path) -> None:
    sound = machine_sound(10.0)
    sound[12_345] = np.nan
    write_sound(path, sound, subtype="FLOAT")


def _with_rate(rate_hz: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        data = np.zeros(16_000, "<i2").tobytes()
        head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate_hz,
                           2 * rate_hz & 0xFFFFFFFF, 2, 16, b"data", len(data))  # fmt: skip
        path.write_bytes(head + data)

    return write


def _channels(path: Path) -> None:
    soundfile.write(path, np.zeros((16_000, 64), np.float32), 16_000)


def _directory(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


class _Touch:
    """Unpickled, it would make a file beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self._path,))


def _pickles(path: Path) -> None:
    array = np.empty((1, 312, 128), object)
    array[...] = None
    array[0, 0, 0] = _Touch(path.with_name("PWNED"))
    np.savez(path, log_mel_db=array)


def _raw_pickle(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("log_mel_db.npy", pickle.dumps(_Touch(path.with_name("PWNED"))))


def _pickled_names(path: Path) -> None:
    names = np.array([_Touch(path.with_name("PWNED"))], object)
    np.savez(path, log_mel_db=log_mel_db(machine_sound(5.0))[None], name=names)


def _bomb(path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1_000_000, 112_500, 128)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log_mel_db.npy", header.getvalue() + bytes(1_000_000))


HOSTILE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a text file named .wav": ("x.wav", _text, "is no WAV or FLAC file"),
    "a text file named .flac": ("x.flac", _text, "is no WAV or FLAC file"),
    "truncated": ("x.wav", _truncated, "is cut short"),
    "truncated flac": ("x.flac", _truncated, "cut short"),
    "zero length": ("x.wav", _empty, "is empty"),
    "a header and no sample": ("x.wav", _header_only, "holds no samples"),
    "NaN samples": ("x.wav", _nan, "has the sample value nan at 12345 in channel 0"),
    "3 Hz": ("x.wav", _with_rate(3), "sample rate of 3 Hz"),
    "10 MHz": ("x.wav", _with_rate(10_000_000), "sample rate of 10000000 Hz"),
    "64 channels": ("x.wav", _channels, "has 64 channels"),
    "an empty directory": ("x.wav", _directory, "names no recording"),
    "a pipe": ("x.wav", _pipe, "is not a regular file"),
    "an npz of pickles": ("x.npz", _pickles, "log_mel_db"),
    "an npz that is a pickle": ("x.npz", _raw_pickle, "is no sound .npz file"),
    "an npz with pickled names": ("x.npz", _pickled_names, "name"),
    "an npz that unpacks to terabytes": ("x.npz", _bomb, "log_mel_db"),
    "a text file named .npz": ("x.npz", _text, "x.npz"),
    "a name with a line break": ("a\nedge-agent: ok.wav", _text, "is no WAV or FLAC file"),
}


@pytest.mark.parametrize("case", HOSTILE, ids=str)
@pytest.mark.parametrize("command", ["replay", "commission"])
def test_a_file_is_refused(shell: Shell, commissioned: Path, tmp_path: Path, command: str, case: str) -> None:
    name, make, says = HOSTILE[case]
    file = tmp_path / name
    make(file)
    before = tree(commissioned)
    how = (
        ["replay", "--json", "--machine", "press"]
        if command == "replay"
        else ["commission", "--machine", "new", "--from"]
    )
    done = shell(*how, file, "--bundle", BUNDLE, "--state-dir", commissioned)
    assert (done.status, done.out) == (1, "")
    complaints = [line for line in done.err.splitlines() if not _is_summary(line)]
    assert len(complaints) == 1, done.err
    assert complaints[0].startswith("edge-agent: ")
    assert says in complaints[0]
    assert tree(commissioned) == before
    assert not (tmp_path / "PWNED").exists()


def _is_summary(line: str) -> bool:
    return " x real time" in line or line.startswith(("0 windows;", "the bundle knows no type"))


def test_the_good_files_around_a_bad_one_are_scored(shell: Shell, commissioned: Path, tmp_path: Path) -> None:
    for name in ("a.wav", "c.wav"):
        write_sound(tmp_path / name, machine_sound(10.0, seed=20))
    _truncated(tmp_path / "b.wav")
    done = shell("replay", "--json", "--machine", "press", tmp_path, "--bundle", BUNDLE, "--state-dir", commissioned)
    assert done.status == 1
    assert [Path(event["data"]["file"]).name for event in done.events] == ["a.wav", "c.wav"]
    assert "1 refused" in done.err


def test_a_name_that_is_not_utf8_is_replayed(shell: Shell, commissioned: Path, tmp_path: Path) -> None:
    good = write_sound(tmp_path / "ok.wav", machine_sound(10.0, seed=21))
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.wav"
    os.rename(good, odd)
    done = shell("replay", "--json", "--machine", "press", tmp_path, "--bundle", BUNDLE, "--state-dir", commissioned)
    assert done.status == 0, done.err
    assert done.events[0]["data"]["file"].endswith(r"\xff\xfe.wav")


def test_a_name_that_is_not_utf8_is_learnt_from(shell: Shell, tmp_path: Path) -> None:
    for seed in range(3):
        good = write_sound(tmp_path / "n" / f"{seed}.wav", machine_sound(10.0, seed=seed))
        os.rename(good, os.fsencode(tmp_path) + b"/n/\xff%d.wav" % seed)
    words = ("--bundle", BUNDLE, "--state-dir", tmp_path / "state")
    assert shell("commission", "--machine", "new", "--from", tmp_path / "n", *words).status == 0
    assert "3 recordings" in shell("profiles", "show", "new", "--state-dir", tmp_path / "state").out


def test_a_name_cannot_reach_the_terminal(shell: Shell, commissioned: Path, tmp_path: Path) -> None:
    write_sound(tmp_path / "\x1b[31mred\x07.wav", machine_sound(10.0, seed=21))
    done = shell("replay", "--machine", "press", tmp_path, "--bundle", BUNDLE, "--state-dir", commissioned)
    assert done.status == 0
    assert done.out.startswith("?[31mred?.wav ")


@pytest.mark.parametrize("file", ["encoder.tflite", "golden.npz", "types/generic.npz", "manifest.json"])
def test_a_bundle_with_one_flipped_byte(shell: Shell, commissioned: Path, tmp_path: Path, file: str) -> None:
    sound = write_sound(tmp_path / "ok.wav", machine_sound(10.0))
    bundle = copy_bundle(tmp_path / "bundle")
    content = bytearray((bundle / file).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / file).write_bytes(content)
    before = tree(commissioned)
    for command in (
        ["replay", "--json", "--machine", "press", sound],
        ["commission", "--machine", "new", "--from", sound],
    ):
        done = shell(*command, "--bundle", bundle, "--state-dir", commissioned)
        assert (done.status, done.out) == (1, "")
        (line,) = done.err.splitlines()
        assert line.startswith("edge-agent: ")
        assert file in line or "manifest" in line or "profile of 'press'" in line
    assert tree(commissioned) == before


def test_a_profile_that_another_prior_made_is_refused(shell: Shell, commissioned: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "profiles").mkdir(parents=True)
    profile = Profile.load(commissioned / "profiles" / "press.npz")
    replace(profile, prior_digest="0" * 64).save(state / "profiles" / "press.npz")
    sound = write_sound(tmp_path / "ok.wav", machine_sound(10.0))
    done = shell("replay", "--machine", "press", sound, "--bundle", BUNDLE, "--state-dir", state)
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert "press" in line
    assert "commission" in line


def test_a_damaged_profile_is_refused(shell: Shell, commissioned: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "profiles").mkdir(parents=True)
    content = bytearray((commissioned / "profiles" / "press.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (state / "profiles" / "press.npz").write_bytes(content)
    sound = write_sound(tmp_path / "ok.wav", machine_sound(10.0))
    done = shell("replay", "--machine", "press", sound, "--bundle", BUNDLE, "--state-dir", state)
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert "press" in line


def test_a_state_directory_that_cannot_be_written(shell: Shell, tmp_path: Path) -> None:
    sounds = [write_sound(tmp_path / "n" / f"{seed}.wav", machine_sound(10.0, seed=seed)) for seed in range(3)]
    (tmp_path / "file").touch()
    state = tmp_path / "file" / "state"
    done = shell("commission", "--machine", "new", "--from", *sounds, "--bundle", BUNDLE, "--state-dir", state)
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines()[-1].startswith("edge-agent: ")
    assert "cannot be written" in done.err
