"""Rows of the clips' index."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.row import ClipRow


def row(
    name: str,
    *,
    machine: str = "pump_1",
    state: str = "normal",
    bundle: str = "a" * 64,
    embedding: NDArray[np.float64] | None = None,
) -> ClipRow:
    """A clip that is normal unless told otherwise."""
    packed = None if embedding is None else embedding.astype("<f2").tobytes()
    return ClipRow(
        id=name, machine=machine, reason="random", state=state, kind="audio", start_ns=0, size_bytes=1, sha256="0" * 64,
        alarm=None, slot=None, settles_at=None, label=None, score=None, threshold=None, pinned=False, synced=False,
        rank=0.0, protected=False, speech="none", bundle=bundle, embedding=packed, sidecar_ns=0,
    )  # fmt: skip
