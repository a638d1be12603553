"""Was a microphone moved or swapped? A channel that goes on sounding like another machine than its own."""

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.likeness import Likeness
from edge_agent.detection.verdict import HealthCode, HealthFinding
from edge_agent.inference.manifest import Label
from edge_agent.pipeline.identity import UNKNOWN, Identity
from edge_agent.pipeline.match import Matcher

MUCH_NEARER = 0.5
"""Another machine is meant where the window is at most this part of its own distance away from it."""
SURE = 0.8
RAISE_AFTER, RAISE_WITHIN, CLEAR_AFTER = 3, 5, 6


class MismatchWatch:
    """Follows one configured channel. Pure: no time, windows come in order.

    A window speaks against the configured machine where it lies beyond that machine's limit and either within the limit
    of another commissioned machine that is much nearer, or where the encoder is sure of another type of machine, by an
    output that never was as high in the machine's own normal sound. A fault moves a sound away from normal, but not
    into the midst of another machine's: on recordings of real faults neither happened. Three such windows among five
    raise the finding, sooner than the wrong machine's sound can raise an alarm; six others in a row end it.

    Args:
        machine_id: The configured machine.
        machine_type: What it is said to be.
        matcher: All commissioned machines.
        labels: What the encoder's logits stand for.
    """

    def __init__(self, machine_id: str, machine_type: str, matcher: Matcher, labels: Sequence[Label]) -> None:
        self._machine_id = machine_id
        self._machine_type = machine_type
        self._matcher = matcher
        self._places = {label.machine_id: place for place, label in enumerate(labels)}
        self._types = {label.machine_id: label.machine_type for label in labels}
        self._recent: deque[HealthFinding | None] = deque(maxlen=RAISE_WITHIN)
        self.forget()

    def forget(self) -> None:
        """What comes next is another recording."""
        self._recent.clear()
        self._others_in_a_row = 0
        self._finding: HealthFinding | None = None

    def update(
        self, window: WindowFeatures, distances: Mapping[str, float], identity: Identity | None
    ) -> HealthFinding | None:
        """Take a window whose input is fit to tell.

        Args:
            window: Its features.
            distances: Its distance from every commissioned machine.
            identity: The encoder's word on it.

        Returns:
            The finding, while it stands.
        """
        found = self._against(window, distances, identity)
        self._recent.append(found)
        self._others_in_a_row = 0 if found is not None else self._others_in_a_row + 1
        if found is not None and sum(item is not None for item in self._recent) >= RAISE_AFTER:
            self._finding = found
        elif self._others_in_a_row >= CLEAR_AFTER:
            self._finding = None
        return self._finding

    def _against(
        self, window: WindowFeatures, distances: Mapping[str, float], identity: Identity | None
    ) -> HealthFinding | None:
        """What a single window says against the configured machine."""
        own, own_distance = self._matcher.likeness(self._machine_id), distances.get(self._machine_id)
        if own is None or own_distance is None or own_distance <= own.limit:
            return None
        match = self._matcher.match(distances)
        if match is not None and match.machine != UNKNOWN and match.distance <= MUCH_NEARER * own_distance:
            message = (
                f"sounds like machine {match.machine} (distance {match.distance:.2f}), not like {self._machine_id} "
                f"({own_distance:.2f}, limit {own.limit:.2f}); was a microphone moved or swapped?"
            )
            return HealthFinding(HealthCode.IDENTITY_MISMATCH, True, message)
        if identity is None or not self._is_foreign(identity, window, own):
            return None
        message = (
            f"sounds like another kind of machine ({self._types[identity.label]}, {identity.confidence:.0%} sure) and "
            f"unlike {self._machine_id} (distance {own_distance:.2f}, limit {own.limit:.2f}); was the microphone moved?"
        )
        return HealthFinding(HealthCode.IDENTITY_MISMATCH, False, message)

    def _is_foreign(self, identity: Identity, window: WindowFeatures, own: Likeness) -> bool:
        """Whether the encoder is sure of another type, and surer than it ever was in normal sound."""
        place = self._places.get(identity.label)
        if place is None or identity.confidence < SURE or self._types[identity.label] == self._machine_type:
            return False
        if place >= len(own.logit_peaks):
            return False
        return float(window.logits[:, place].mean(dtype=np.float64)) > float(own.logit_peaks[place])
