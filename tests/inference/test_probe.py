import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.inference import probe
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.errors import BundleError
from tests.support.agent import BUNDLE


@pytest.mark.parametrize("name", ["tiny_encoder.tflite", "tiny_autoencoder.tflite"])
def test_a_real_model_passes(tiny_model: Callable[[str], bytes], name: str) -> None:
    probe.probe_model(tiny_model(name), name=name)


def test_a_truncated_model_is_reported_whether_the_runtime_refuses_it_or_crashes(
    tiny_model: Callable[[str], bytes],
) -> None:
    # ai-edge-litert 2.3 refuses it, tflite-runtime 2.14 ends in a segmentation fault
    with pytest.raises(BundleError, match=r"bad.tflite: the (TFLite runtime refuses the model|model crashes)"):
        probe.probe_model(tiny_model("tiny_encoder.tflite")[:2000], name="bad.tflite")


def test_a_crash_of_the_child_is_an_error_of_the_model_and_none_of_the_agent(
    tiny_model: Callable[[str], bytes], tmp_path: Path
) -> None:
    crash = tmp_path / "crash.py"  # does what a crafted model does to the interpreter
    crash.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    with pytest.raises(BundleError, match=r"bad.tflite: the model crashes the TFLite runtime \(signal 11"):
        probe.probe_model(tiny_model("tiny_encoder.tflite"), name="bad.tflite", child=crash)


def test_a_model_that_never_ends_is_cut_off(tiny_model: Callable[[str], bytes]) -> None:
    with pytest.raises(BundleError, match="ran longer than"):
        probe.probe_model(tiny_model("tiny_encoder.tflite"), name="slow.tflite", timeout_s=0.001)


def test_a_probe_that_was_begun_early_counts_for_the_very_model_that_it_is_of(
    tiny_model: Callable[[str], bytes], tmp_path: Path
) -> None:
    crash = tmp_path / "crash.py"
    crash.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    model = (BUNDLE / "encoder.tflite").read_bytes()
    with (
        probe.ModelProbe(model, name="early.tflite", child=crash) as early,
        pytest.raises(BundleError, match=r"early.tflite: the model crashes"),
    ):
        load_bundle(BUNDLE, self_test=False, early=early)
    with probe.ModelProbe(tiny_model("tiny_encoder.tflite"), name="other.tflite", child=crash) as early:
        load_bundle(BUNDLE, self_test=False, early=early)


def test_a_probe_that_nobody_waits_for_is_ended(tiny_model: Callable[[str], bytes], tmp_path: Path) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("import time\ntime.sleep(3600)\n")
    with probe.ModelProbe(tiny_model("tiny_encoder.tflite"), name="slow.tflite", child=endless) as early:
        pass
    with pytest.raises(BundleError, match="signal 9"):
        early.wait()


def test_a_bundle_with_a_flaw_is_not_probed_early(tmp_path: Path) -> None:
    assert probe.early_probe(tmp_path / "nowhere") is None
    copy = shutil.copytree(BUNDLE, tmp_path / "bundle")
    (copy / "encoder.tflite").write_bytes(b"another model")
    assert probe.early_probe(copy) is None
    early = probe.early_probe(BUNDLE)
    assert early is not None
    with early:
        early.wait()
        assert early.content == (BUNDLE / "encoder.tflite").read_bytes()
