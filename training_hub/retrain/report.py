"""The evaluation's page on the catalogue's clips, to be attached to a run."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_agent.inference.bundle import Bundle
from training_hub.evaluation.clips import ANOMALY, EvalClip
from training_hub.evaluation.datasets import from_clips
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.page import write_page
from training_hub.evaluation.run import Options, evaluate
from training_hub.retrain.clips import FloatArray, LearntClip

PROTOCOLS = ("first_shot",)
"""Frames alone must do, for the catalogue may hold no audio, and minutes: `training-hub evaluate` runs all of them."""


def render_report(
    bundle: Bundle, clips: Sequence[LearntClip], *, seed: int, notes: str, progress: Callable[[str], None]
) -> bytes:
    """The page, as HTML.

    Args:
        bundle: The bundle under test.
        clips: Normal and anomalous ones.
        seed: Of the draws.
        notes: What a reader must know.
        progress: Told what is being done; may raise to end it.

    Raises:
        EvaluationError: The clips cannot be evaluated.
    """
    listed = [
        EvalClip(
            name=f"{item.clip.clip_id}/{k}",
            machine_type=item.clip.machine_type,
            machine_id=item.clip.machine,
            condition=ANOMALY if item.clip.anomalous else item.clip.state or "normal",
            group=item.group,
            read_log_mel=_reader(window),
        )
        for item in clips
        for k, window in enumerate(item.windows)
    ]
    if not listed:
        raise EvaluationError("the catalogue holds no clip to evaluate on; add some")
    data = from_clips("catalogue", listed)
    options = Options(protocols=PROTOCOLS, quick=True, baselines=(), seed=seed, notes=notes)
    report = evaluate(bundle, data, options, progress)
    with tempfile.TemporaryDirectory() as directory:
        return write_page(report, Path(directory)).read_bytes()


def _reader(window: FloatArray) -> Callable[[], FloatArray]:
    return lambda: window
