"""Bundles in one file: what is packed comes out again, and nothing else ever does."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.inference.archive import MAX_MEMBERS, pack_bundle, unpack_bundle
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import MAX_FILE_BYTES

SHIPPED = Path(__file__).parents[2] / "models" / "default"


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:") as opened:
        for member, content in members:
            opened.addfile(member, io.BytesIO(content))
    packed.seek(0)
    return packed


def plain(name: str, size: int = 1) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = size
    return member, b"x" * size


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def test_a_packed_bundle_is_the_same_bundle(tmp_path: Path) -> None:
    shipped = load_bundle(SHIPPED, probe=False, self_test=False)
    packed = pack_bundle(shipped)
    assert packed == pack_bundle(shipped)
    unpack_bundle(io.BytesIO(packed), tmp_path / "bundle", name="bundle.tar")
    assert load_bundle(tmp_path / "bundle", probe=False, self_test=False).ref == shipped.ref


HOSTILE: dict[str, Callable[[], io.BytesIO]] = {
    "absolute path": lambda: archive(plain("/etc/passwd")),
    "parent path": lambda: archive(plain("../outside")),
    "parent path inside": lambda: archive(plain("types/../../outside")),
    "deep path": lambda: archive(plain("a/b/c")),
    "hidden file": lambda: archive(plain(".hidden")),
    "symbolic link": lambda: archive(special("types", tarfile.SYMTYPE, "/etc")),
    "hard link": lambda: archive(special("encoder.tflite", tarfile.LNKTYPE, "/etc/passwd")),
    "device": lambda: archive(special("encoder.tflite", tarfile.CHRTYPE)),
    "pipe": lambda: archive(special("encoder.tflite", tarfile.FIFOTYPE)),
    "name twice": lambda: archive(plain("manifest.json"), plain("MANIFEST.json")),
    "too many": lambda: archive(*(plain(f"f{i}") for i in range(MAX_MEMBERS + 1))),
    "large manifest": lambda: archive(plain("manifest.json", (1 << 20) + 1)),
    "no manifest": lambda: archive(plain("encoder.tflite")),
    "no archive": lambda: io.BytesIO(b"\x00not a tar" * 200),
    "cut short": lambda: io.BytesIO(archive(plain("encoder.tflite", 5000)).getvalue()[:1000]),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archives_are_refused_and_write_nothing_outside(make: Callable[[], io.BytesIO], tmp_path: Path) -> None:
    into = tmp_path / "in" / "bundle"
    with pytest.raises(BundleError, match=r"a\.tar"):
        unpack_bundle(make(), into, name="a.tar")
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and into not in path.parents]
    assert outside == []


def test_a_file_that_says_it_is_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    member, _ = plain("encoder.tflite")
    member.size = MAX_FILE_BYTES + 1
    with pytest.raises(BundleError, match="at most"):
        unpack_bundle(io.BytesIO(member.tobuf() + b"\0" * 1024), tmp_path / "bundle", name="a.tar")
