"""What a machine is to be learnt with: bundle, type, budget.

A running agent holds this ready for its page; what learns is imported as somebody begins to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.features import Recording
from edge_agent.detection.normals import Normals
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import Profile
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.priors import feature_source, type_prior
from edge_agent.pipeline.window import WindowShape

if TYPE_CHECKING:
    from edge_agent.detection.addition import Addition
    from edge_agent.detection.amid import Hear
    from edge_agent.detection.commission import Learnt


@dataclass(frozen=True)
class Lesson:
    """All that commissioning a machine takes besides its sound.

    Attributes:
        machine_id: The machine.
        machine_type: What it is said to be.
        bundle: The bundle in use.
        budget: The false alarms that the operator accepts.
        max_states: How many operating states to look for where none is named.
        wall_ns: Wall time, nanoseconds since 1970.
    """

    machine_id: str
    machine_type: str
    bundle: Bundle
    budget: AlarmBudget
    max_states: int = 1
    wall_ns: Callable[[], int] = time.time_ns

    @cached_property
    def prior(self) -> TypePrior:
        """What the bundle knows of the type; the generic prior, under its own name, where it lacks it."""
        return type_prior(self.bundle, self.machine_type)

    @cached_property
    def hear(self) -> Hear:
        """Makes features of log-mel frames with the bundle's encoder."""
        from edge_agent.agent.hearing.offline import OfflineAnalyser  # noqa: PLC0415  see the module's docstring

        return OfflineAnalyser(self.bundle, WindowShape()).features

    def learn(self, recordings: Sequence[Recording]) -> Learnt:
        """Commission; raises `CommissioningError` where the recordings cannot teach what is normal."""
        from edge_agent.detection.commission import learn  # noqa: PLC0415

        return learn(
            self.machine_id,
            self.machine_type,
            recordings,
            self.prior,
            self.bundle.ref,
            self.budget,
            created_ns=self.wall_ns(),
            max_states=self.max_states,
            hear=self.hear,
        )

    def add(self, profile: Profile, kept: Sequence[Normals], recordings: Sequence[Recording]) -> Addition:
        """What adding recordings to a profile would change; see `add_normals`."""
        from edge_agent.detection.addition import add_normals  # noqa: PLC0415

        return add_normals(
            profile,
            kept,
            self.normals(recordings),
            self.prior,
            self.bundle.ref,
            created_ns=self.wall_ns(),
            hear=self.hear,
        )

    def normals(self, recordings: Sequence[Recording]) -> Normals:
        """Recordings as they are kept beside a profile."""
        return Normals.of(feature_source(self.bundle), recordings)
