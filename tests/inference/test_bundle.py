import hashlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import MAX_FILE_BYTES, MAX_MANIFEST_BYTES


def edit_manifest(root: Path, change: Callable[[dict], None]) -> None:
    path = root / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def relist(root: Path, name: str) -> None:
    """List a changed file with its new hash, as someone who may write the manifest would."""
    content = (root / name).read_bytes()
    entry = {"path": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}

    def change(manifest: dict) -> None:
        manifest["files"] = [known for known in manifest["files"] if known["path"] != name] + [entry]

    edit_manifest(root, change)


def replace(root: Path, name: str, content: bytes) -> None:
    (root / name).write_bytes(content)
    relist(root, name)


def npz_of(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def pickled_npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, precision=np.array([{"a": 1}], dtype=object))
    return stream.getvalue()


def raw_member(content: bytes, name: str = "precision.npy") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def npy_header(shape: str, dtype: str = "<f4") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    header += b" " * (118 - len(header) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def link_file(root: Path) -> None:
    (root / "encoder.tflite").rename(root.parent / "outside.tflite")
    (root / "encoder.tflite").symlink_to(root.parent / "outside.tflite")


def link_directory(root: Path) -> None:
    (root / "types").rename(root.parent / "outside")
    (root / "types").symlink_to(root.parent / "outside")


def pipe(root: Path) -> None:
    (root / "MODEL_CARD.md").unlink()
    os.mkfifo(root / "MODEL_CARD.md")


def set_key(*keys: str | int, to: object) -> Callable[[Path], None]:
    def change(manifest: dict) -> None:
        node = manifest
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = to

    return lambda root: edit_manifest(root, change)


# what is done to the bundle, and what the message must name
HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing model": (lambda r: (r / "encoder.tflite").unlink(), "encoder.tflite"),
    "missing type": (lambda r: (r / "types/fan.npz").unlink(), "types/fan.npz"),
    "missing manifest": (lambda r: (r / "manifest.json").unlink(), "manifest.json"),
    "extra file": (lambda r: (r / "types/extra.npz").write_bytes(b"x"), "types/extra.npz.*not listed"),
    "hidden file": (lambda r: (r / ".hidden").write_bytes(b"x"), r"\.hidden.*not listed"),
    "truncated model": (lambda r: os.truncate(r / "encoder.tflite", 100), "encoder.tflite.*bytes"),
    "linked file": (link_file, "encoder.tflite.*symbolic link"),
    "linked directory": (link_directory, "types.*symbolic link"),
    "a pipe": (pipe, "MODEL_CARD.md.*plain file"),
    "name with ..": (set_key("files", 0, "path", to="../evil"), "files.0.path"),
    "name with inner ..": (set_key("files", 0, "path", to="types/../../evil"), "files.0.path"),
    "absolute name": (set_key("files", 0, "path", to="/etc/passwd"), "files.0.path"),
    "name with NUL": (set_key("files", 0, "path", to="a\0b"), "files.0.path"),
    "name ends in newline": (set_key("files", 0, "path", to="MODEL_CARD.md\n"), "files.0.path"),
    "a file twice": (lambda r: edit_manifest(r, lambda m: m["files"].append(m["files"][0])), "twice"),
    "claimed huge": (set_key("files", 0, "size", to=MAX_FILE_BYTES + 1), "files.0.size"),
    "newer schema": (set_key("schema_version", to=2), "schema_version 2.*update the agent"),
    "older schema": (set_key("schema_version", to=0), "schema_version 0.*export"),
    "schema is text": (set_key("schema_version", to="1"), "schema_version"),
    "unknown key": (set_key("surprise", to=1), "surprise"),
    "newer agent": (set_key("minimum_agent_version", to="99.0.0"), "99.0.0.*update the agent"),
    "other signal": (set_key("signal", "hop_samples", to=256), "signal_sha256"),
    "zero hop": (set_key("signal", "hop_samples", to=0), "signal"),
    "NaN in manifest": (set_key("encoder", "input", "std_db", to=float("nan")), "std_db"),
    "labels do not fit": (lambda r: edit_manifest(r, lambda m: m["labels"].pop()), "2 labels for 3 logits"),
    "wrong embedding size": (set_key("encoder", "outputs", 0, "size", to=9), "output 1.*8 values"),
    "no such output": (set_key("encoder", "outputs", 0, "tensor", to=5), "no output 5"),
    "manifest no JSON": (lambda r: (r / "manifest.json").write_bytes(b"\xff\xfe{"), "manifest.json"),
    "manifest deep": (lambda r: (r / "manifest.json").write_bytes(b"[" * 100_000), "manifest.json"),
    "manifest huge": (lambda r: (r / "manifest.json").write_bytes(b" " * (MAX_MANIFEST_BYTES + 1)), "manifest.json"),
    "manifest empty": (lambda r: (r / "manifest.json").write_bytes(b""), "manifest.json"),
    "model is text": (lambda r: replace(r, "encoder.tflite", b"hello world, no model"), "encoder.tflite.*TFL3"),
    "model root outside": (
        lambda r: replace(r, "encoder.tflite", b"\xff\xff\xff\x7fTFL3" + b"\0" * 64),
        "encoder.tflite",
    ),
    "model zeros": (lambda r: replace(r, "encoder.tflite", b"\x10\0\0\0TFL3" + b"\0" * 4096), "encoder.tflite"),
    "npz is text": (lambda r: replace(r, "types/fan.npz", b"hello"), "types/fan.npz.*damaged"),
    "npz pickled": (lambda r: replace(r, "types/fan.npz", pickled_npz()), "types/fan.npz.*pickled"),
    "npz member is a pickle": (
        lambda r: replace(r, "types/fan.npz", raw_member(pickle.dumps([1]))),
        "types/fan.npz",
    ),
    "npz bomb": (lambda r: replace(r, "types/fan.npz", raw_member(bytes(200 << 20))), "types/fan.npz.*unpacks"),
    "npz claims huge shape": (
        lambda r: replace(r, "types/fan.npz", raw_member(npy_header("(99999999999, 99999999999)"))),
        "types/fan.npz.*does not match",
    ),
    "npz negative shape": (
        lambda r: replace(r, "types/fan.npz", raw_member(npy_header("(-1, -4)") + bytes(16))),
        "types/fan.npz",
    ),
    "npz hostile header": (
        lambda r: replace(r, "types/fan.npz", raw_member(npy_header("__import__('os').getcwd()"))),
        "types/fan.npz",
    ),
    "npz traversal": (lambda r: replace(r, "types/fan.npz", raw_member(b"x", "../evil.npy")), "evil.npy"),
    "npz NaN": (lambda r: replace(r, "types/fan.npz", npz_of(p=np.array([np.nan], np.float32))), "NaN"),
    "npz infinity": (lambda r: replace(r, "types/fan.npz", npz_of(p=np.array([np.inf]))), "NaN or infinity"),
    "golden lacks audio": (lambda r: replace(r, "golden.npz", npz_of(logits=np.zeros(1))), "golden.npz.*audio"),
    "golden of other shape": (
        lambda r: replace(r, "golden.npz", npz_of(audio=np.zeros((2, 2), np.int16))),
        r"golden.npz\[audio\]",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_bundle_is_refused_and_the_message_names_the_flaw(bundle_dir: Path, case: str) -> None:
    spoil, message = HOSTILE[case]
    spoil(bundle_dir)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle_dir)


@pytest.mark.parametrize(
    "name", ["encoder.tflite", "golden.npz", "MODEL_CARD.md", "types/fan.npz", "types/generic.npz"]
)
def test_one_flipped_bit_in_any_file_is_found(bundle_dir: Path, name: str) -> None:
    content = bytearray((bundle_dir / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle_dir / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}.*SHA-256"):
        load_bundle(bundle_dir)


def test_every_file_of_the_bundle_is_in_the_flip_table(bundle_dir: Path) -> None:
    listed = set(load_bundle(bundle_dir).manifest.file_names)
    assert listed == {"encoder.tflite", "golden.npz", "MODEL_CARD.md", "types/fan.npz", "types/generic.npz"}


def test_a_flipped_bit_in_the_manifest_changes_the_identity_or_is_refused(bundle_dir: Path) -> None:
    path, before = bundle_dir / "manifest.json", load_bundle(bundle_dir)
    original = path.read_bytes()
    for position in range(0, len(original), 97):
        content = bytearray(original)
        content[position] ^= 4
        path.write_bytes(content)
        try:
            after = load_bundle(bundle_dir, probe=False, self_test=False)
        except BundleError:
            continue
        assert after.sha256 != before.sha256


def test_a_valid_bundle_loads_and_says_who_it_is(bundle_dir: Path) -> None:
    bundle = load_bundle(bundle_dir)
    assert bundle.sha256 == hashlib.sha256((bundle_dir / "manifest.json").read_bytes()).hexdigest()
    assert (bundle.ref.name, bundle.ref.version, bundle.ref.sha256) == ("tiny", "1.2.3", bundle.sha256)
    assert bundle.manifest.machine_types == ("fan", "generic")


def test_a_bundle_is_found_through_a_link_to_its_directory(bundle_dir: Path) -> None:
    link = bundle_dir.parent / "current"
    link.symlink_to(bundle_dir)
    assert load_bundle(link).root == bundle_dir.resolve()


@pytest.mark.parametrize("path", ["nowhere", "manifest.json"])
def test_a_path_that_is_no_bundle_is_named(bundle_dir: Path, path: str) -> None:
    with pytest.raises(BundleError, match=path):
        load_bundle(bundle_dir / path)


@pytest.mark.parametrize(("asked", "found"), [("fan", "fan"), ("pump", "generic"), ("../fan", "generic")])
def test_type_arrays_fall_back_to_generic_and_say_so(bundle_dir: Path, asked: str, found: str) -> None:
    name, arrays = load_bundle(bundle_dir).type_arrays(asked)
    assert name == found
    assert arrays["precision"].shape == (4, 4)
    assert not arrays["precision"].flags.writeable


def test_a_bundle_without_generic_says_what_to_do(bundle_dir: Path) -> None:
    (bundle_dir / "types/generic.npz").unlink()
    edit_manifest(bundle_dir, lambda m: m.update(files=[f for f in m["files"] if f["path"] != "types/generic.npz"]))
    with pytest.raises(BundleError, match=r"pump.*fit-type"):
        load_bundle(bundle_dir).type_arrays("pump")


def test_a_file_changed_after_loading_is_not_used(bundle_dir: Path) -> None:
    bundle = load_bundle(bundle_dir)
    (bundle_dir / "types/fan.npz").write_bytes(b"evil")
    with pytest.raises(BundleError, match=r"types/fan.npz"):
        bundle.type_arrays("fan")
    with pytest.raises(BundleError, match="not listed"):
        bundle.read("../../etc/passwd")


def test_self_test_fails_when_the_model_computes_something_else(bundle_dir: Path) -> None:
    content = bytearray((bundle_dir / "encoder.tflite").read_bytes())
    arrays = dict(np.load(bundle_dir / "golden.npz"))
    arrays["embeddings"] = arrays["embeddings"] + np.float32(3 * np.ptp(arrays["embeddings"]) / 255 + 0.5)
    replace(bundle_dir, "golden.npz", npz_of(**arrays))
    assert content == (bundle_dir / "encoder.tflite").read_bytes()
    with pytest.raises(BundleError, match="embedding differs"):
        load_bundle(bundle_dir)


def test_self_test_fails_when_features_differ(bundle_dir: Path) -> None:
    arrays = dict(np.load(bundle_dir / "golden.npz"))
    arrays["log_mel_db"] = arrays["log_mel_db"] + np.float32(0.1)
    replace(bundle_dir, "golden.npz", npz_of(**arrays))
    with pytest.raises(BundleError, match="features differ"):
        load_bundle(bundle_dir)


def test_self_test_fails_when_another_machine_is_recognised(bundle_dir: Path) -> None:
    bundle = load_bundle(bundle_dir)
    arrays = dict(np.load(bundle_dir / "golden.npz"))
    arrays["logits"] = np.roll(arrays["logits"], 1, axis=1)
    replace(bundle_dir, "golden.npz", npz_of(**arrays))
    with pytest.raises(BundleError, match=r"golden.npz: (logits|another machine)"):
        load_bundle(bundle_dir)
    assert bundle.encoder().lsb("logits") > 0


def test_a_reconstruction_bundle_loads_and_tests_itself(autoencoder_dir: Path) -> None:
    bundle = load_bundle(autoencoder_dir)
    bundle.self_test()
    assert bundle.manifest.labels == ()
