"""The tiny real models of tests/inference/fixtures, for tests that need an encoder but no trained one."""

from pathlib import Path

from edge_agent.inference.encoder import Encoder
from edge_agent.inference.manifest import EncoderSpec, InputSpec, OutputSpec
from edge_agent.inference.runtime import TFLiteModel

_MODEL = Path(__file__).parents[1] / "inference" / "fixtures" / "tiny_encoder.tflite"


def tiny_encoder(std_db: float = 10.0) -> Encoder:
    """An int8 encoder with an 8-d embedding and 3 logits."""
    spec = EncoderSpec(
        file="encoder.tflite",
        input=InputSpec(layout="patch", frames=64, remove_level=True, std_db=std_db),
        outputs=(
            OutputSpec(tensor=1, semantics="embedding", size=8),
            OutputSpec(tensor=0, semantics="logits", size=3),
        ),
    )
    return Encoder(TFLiteModel(_MODEL.read_bytes()), spec)
