"""Another project's quantised autoencoder, run unchanged through the agent's runtime."""

from collections.abc import Sequence
from pathlib import Path

from edge_agent.inference.encoder import Encoder
from edge_agent.inference.manifest import EncoderSpec, InputSpec, OutputSpec
from edge_agent.inference.runtime import TFLiteModel
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext

_VALUES = 640


class PeerAutoencoderScorer:
    """Reconstruction error of five stacked frames as they are (MLPerf Tiny, C. Banbury et al. 2021).

    It was trained on all of its ids, so it learns nothing here, and it knows what the first-shot systems must not.
    """

    def __init__(self, path: Path) -> None:
        spec = EncoderSpec(
            file="peer.tflite",
            input=InputSpec(layout="stacked_frames", frames=5, remove_level=False),
            outputs=(OutputSpec(tensor=0, semantics="reconstruction", size=_VALUES),),
        )
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EvaluationError(f"{path}: {error.strerror}; give the peer's .tflite file") from error
        self._encoder = Encoder(TFLiteModel(content, name=path.name), spec)

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Nothing to learn."""

    def score(self, clip: HeardClip) -> float:
        """Mean squared error."""
        errors = self._encoder.encode(clip.log_mel_db[None]).errors
        assert errors is not None  # the model rebuilds its input
        return float(errors[0])
