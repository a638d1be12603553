"""Sound of simulated machines for a catalogue to look at: FLAC files with the embeddings of the shipped bundle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from edge_agent.clips.encode import flac_bytes
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.stream import patches_of_log_mel
from edge_agent.simulate import MachineSimulator, MachineType, fault_kind, random_spec
from tests.support.agent import ROOT

SECONDS = 10.0


@dataclass(frozen=True)
class SeededSound:
    """A recording of a simulated machine.

    Attributes:
        flac: The file.
        sha256: Of it.
        embedding: As a clip's row holds it.
        level_dbfs: Its loudness.
        bundle_sha256: Of the bundle that made the embedding.
    """

    flac: bytes
    sha256: str
    embedding: bytes
    level_dbfs: float
    bundle_sha256: str


class SoundMaker:
    """Renders recordings and encodes them by the shipped bundle."""

    def __init__(self) -> None:
        self.bundle: Bundle = load_bundle(ROOT / "models" / "default", probe=False, self_test=False)
        self._encoder = self.bundle.encoder()

    def sound(self, kind: MachineType, individual: int, take: int, fault: str | None = None) -> SeededSound:
        """Ten seconds of one machine; the same numbers give the same sound."""
        simulator = MachineSimulator(random_spec(kind, np.random.default_rng(individual)), seed=take)
        what = None if fault is None else fault_kind(kind, fault)
        samples = simulator.render(int(SECONDS * 16_000), what, 0.9 if fault else 0.0)
        peak = float(np.abs(samples).max())
        samples = samples * np.float32(min(1.0, 0.9 / peak))
        settings = self.bundle.manifest.signal
        frames = log_mel_db(samples, settings)
        patches = np.stack([patch.log_mel_db for patch in patches_of_log_mel(frames, settings)])
        embedding = self._encoder.encode(patches).embeddings.mean(axis=0)
        flac = flac_bytes(np.round(samples * 32767).astype(np.int16))
        level = float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))
        return SeededSound(
            flac, hashlib.sha256(flac).hexdigest(), embedding.astype("<f2").tobytes(), level, self.bundle.sha256
        )
