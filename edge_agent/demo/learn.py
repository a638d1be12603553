"""Commissions the demo's pump with the functions of `edge-agent commission`."""

import time
from collections.abc import Iterator
from pathlib import Path

from edge_agent.agent.hearing.offline import OfflineAnalyser
from edge_agent.agent.profiles import ProfileStore
from edge_agent.demo.errors import DemoError
from edge_agent.demo.plant import Plant
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.features import Recording
from edge_agent.detection.profile import Profile
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.priors import type_prior
from edge_agent.pipeline.window import WindowShape

RECORDINGS = 12
_MACHINE_TYPE = "pump"


class Commissioning:
    """Learns the pump from recordings of its normal sound, step by step.

    Args:
        plant: The pump.
        bundle: The models.
        recordings_dir: Where its recordings go.
        store: Where the profile goes.
    """

    def __init__(self, plant: Plant, bundle: Bundle, recordings_dir: Path, store: ProfileStore) -> None:
        self._plant = plant
        self._bundle = bundle
        self._recordings_dir = recordings_dir
        self._store = store
        self._profile: Profile | None = None

    @property
    def profile(self) -> Profile:
        """What was learnt; `DemoError` before `steps` has ended."""
        if self._profile is None:
            raise DemoError("the pump was not commissioned yet")
        return self._profile

    def steps(self) -> Iterator[float]:
        """Do it; yields the part done, 0 to 1.

        Raises:
            DetectionError: It cannot be learnt.
        """
        analyser = OfflineAnalyser(self._bundle, WindowShape())
        recordings: list[Recording] = []
        for path in self._plant.record_normal(self._recordings_dir, RECORDINGS):
            windows = [
                (item.window.features, item.window.level) for item in analyser.recording(path) if item.rejected is None
            ]
            features, levels = zip(*windows, strict=True)
            recordings.append(Recording(path.name, features, levels))
            yield 0.9 * len(recordings) / RECORDINGS
        self._profile = commission(
            self._plant.machine_id,
            _MACHINE_TYPE,
            recordings,
            type_prior(self._bundle, _MACHINE_TYPE),
            bundle=self._bundle.ref,
            budget=AlarmBudget(),
            created_ns=time.time_ns(),
            hear=analyser.features,
        )
        self._store.save(self._profile)
        yield 1.0
