"""How well an encoder recognises machines on recordings that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.inference.encoder import Encoder
from edge_agent.inference.manifest import Label
from edge_agent.signal.settings import SignalSettings
from training_hub.training.dataset import held_out_patches
from training_hub.training.recording import Recording


@dataclass(frozen=True)
class Recognition:
    """Shares recognised.

    Attributes:
        patches: Of single patches.
        recordings: Of whole recordings, by the mean of their logits.
        count: Recordings measured.
    """

    patches: float
    recordings: float
    count: int


def measure_recognition(
    encoder: Encoder, recordings: Sequence[Recording], labels: Sequence[Label], settings: SignalSettings
) -> Recognition | None:
    """Run recordings through the agent's own encoder.

    Returns:
        None without any recording of a known machine.
    """
    index = {label.machine_id: k for k, label in enumerate(labels)}
    hits, patches, whole = 0, 0, []
    for recording in recordings:
        if recording.machine_id not in index:
            continue
        logits = encoder.encode(held_out_patches(recording, settings)).logits
        wanted = index[recording.machine_id]
        hits += int((logits.argmax(axis=1) == wanted).sum())
        patches += len(logits)
        whole.append(int(logits.mean(axis=0).argmax()) == wanted)
    if not whole:
        return None
    return Recognition(hits / patches, float(np.mean(whole)), len(whole))
