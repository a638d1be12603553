"""Bundles made of two tiny real models (fixtures/make_models.py)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference import golden
from edge_agent.inference.encoder import Encoder
from edge_agent.inference.manifest import EncoderSpec, FileEntry, InputSpec, Label, Manifest, OutputSpec
from edge_agent.inference.runtime import TFLiteModel
from edge_agent.signal.settings import SignalSettings
from training_hub.training.bundle_writer import write_manifest, write_npz

FIXTURES = Path(__file__).parent / "fixtures"

ENCODER_SPEC = EncoderSpec(
    file="encoder.tflite",
    input=InputSpec(layout="patch", frames=64, remove_level=True, std_db=10.0),
    outputs=(
        OutputSpec(tensor=1, semantics="embedding", size=8),
        OutputSpec(tensor=0, semantics="logits", size=3),
    ),
)
AUTOENCODER_SPEC = EncoderSpec(
    file="encoder.tflite",
    input=InputSpec(layout="stacked_frames", frames=5, remove_level=False),
    outputs=(OutputSpec(tensor=0, semantics="reconstruction", size=640),),
)
LABELS = tuple(Label(machine_id=f"fan_{k}", machine_type="fan") for k in range(3))


def write_bundle(root: Path, model: str = "tiny_encoder.tflite", spec: EncoderSpec = ENCODER_SPEC) -> Path:
    """A whole, valid bundle around one of the tiny models."""
    root.mkdir(parents=True)
    content = (FIXTURES / model).read_bytes()
    (root / "encoder.tflite").write_bytes(content)
    (root / "MODEL_CARD.md").write_text("# Tiny\n")
    rng = np.random.default_rng(3)
    write_npz(root / "types" / "generic.npz", {"precision": np.eye(4, dtype=np.float32)})
    write_npz(root / "types" / "fan.npz", {"precision": rng.normal(size=(4, 4)).astype(np.float32)})
    settings = SignalSettings()
    manifest = Manifest(
        schema_version=1,
        name="tiny",
        version="1.2.3",
        licence="Apache-2.0",
        minimum_agent_version="0.1.0",
        signal=settings,
        signal_sha256=settings.hash,
        encoder=spec,
        labels=LABELS if spec.output("logits") else (),
        files=(FileEntry(path="encoder.tflite", sha256="0" * 64, size=1),),
    )
    audio = (rng.normal(size=55_000) * 3000).astype(np.int16)
    computed = golden.compute(audio, manifest, Encoder(TFLiteModel(content), spec))
    write_npz(root / "golden.npz", golden.to_arrays(computed))
    write_manifest(root, manifest)
    return root


@pytest.fixture
def bundle_dir(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "tiny")


@pytest.fixture
def autoencoder_dir(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "ae", "tiny_autoencoder.tflite", AUTOENCODER_SPEC)


@pytest.fixture
def tiny_model() -> Callable[[str], bytes]:
    return lambda name: (FIXTURES / name).read_bytes()
