from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_agent.capture.files import InputError, expand


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with recordings (never opened here) and what is none."""
    for name in (
        "b.wav",
        "a.FLAC",
        "x/c.Wav",
        "x/deep/d.npz",
        "x/note.txt",
        "x/.hidden.wav",
        ".trash/e.wav",
        "odd[1].wav",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["b.wav"], ["b.wav"]),
        (["x/note.txt"], ["x/note.txt"]),  # named outright: its content decides
        (["."], ["a.FLAC", "b.wav", "odd[1].wav", "x/c.Wav", "x/deep/d.npz"]),
        (["x"], ["x/c.Wav", "x/deep/d.npz"]),
        (["*.wav"], ["b.wav", "odd[1].wav"]),
        (["x/*"], ["x/c.Wav", "x/deep/d.npz"]),
        (["**/*.npz"], ["x/deep/d.npz"]),
        (["odd[1].wav"], ["odd[1].wav"]),
        (["b.wav", "x/../b.wav", "."], ["b.wav", "a.FLAC", "odd[1].wav", "x/c.Wav", "x/deep/d.npz"]),
    ],
    ids=" ".join,
)
def test_paths_name_recordings(tree: Path, paths: list[str], expected: list[str]) -> None:
    assert [str(path) for path in expand(paths)] == expected


def test_list_is_relative_to_itself(tree: Path) -> None:
    absolute = tree / "a.FLAC"
    (tree / "x" / "list.txt").write_text(
        f"\ufeff# ours\n\n  c.Wav  \n../b.wav\ndeep/*.npz\n{absolute}\n", encoding="utf-8"
    )
    found = expand(["@x/list.txt"])
    assert [path.resolve() for path in found] == [tree / "x/c.Wav", tree / "b.wav", tree / "x/deep/d.npz", absolute]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone.wav", "gone.wav: does not exist"),
        ("*.mp3", "names no recording"),
        ("empty", "empty: names no recording"),
        ("@gone.txt", "is no list of paths"),
        ("@x", "is no list of paths"),
        ("", "is no path"),
        ("a\0b", "is no path"),
        ("b.wav/c", "cannot be read"),
    ],
)
def test_wrong_paths_are_named(tree: Path, path: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("*", r"\*")):
        expand([path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"b.wav\ngone.wav\n", r"list.txt:2: .*gone.wav: does not exist"),
        (b"@list.txt\n", r"list.txt:1: names another list"),
        (b"# nothing\n", "names no recording"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_wrong_lists_are_named_with_the_line(tree: Path, content: bytes, message: str) -> None:
    (tree / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        expand(["@list.txt"])


def test_nothing_named_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing to read"):
        expand([])


def test_message_is_one_harmless_line() -> None:
    message = str(InputError("a\nb\x1b[31m\udcff.wav", "is Gerät", "mend it"))
    assert message == r"a\nb\x1b[31m" + repr("\udcff")[1:-1] + ".wav: is Gerät; mend it"


def test_links_to_directories_are_not_followed(tree: Path) -> None:
    os.symlink(tree, tree / "x" / "loop")
    assert [str(path) for path in expand(["x"])] == ["x/c.Wav", "x/deep/d.npz"]
