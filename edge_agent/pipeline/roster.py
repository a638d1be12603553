"""The machines of a gateway, and which of them a window belongs to."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Self

from edge_agent.detection.alarm import Episode
from edge_agent.detection.profile import Profile
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.faults import fault_prototypes
from edge_agent.pipeline.identity import UNKNOWN, Identifier, identifier_of
from edge_agent.pipeline.impression import Impression, impressions_of
from edge_agent.pipeline.listener import Heard, MachineListener, MachineState, ManyListener, Opinion
from edge_agent.pipeline.match import Matcher
from edge_agent.pipeline.priors import type_prior
from edge_agent.pipeline.window import AnalysedWindow


class Roster:
    """A listener for every machine.

    Args:
        bundle: Models and priors.
        profiles: The machines, each with what commissioning learnt of it, or None before.
        neighbours: Profiles of other machines that stand here too: windows are compared with them, nobody listens to
            them. Those of another model are left aside.

    Raises:
        DetectionError: A profile does not belong to the bundle.
        BundleError: The calibration of identities, or the faults, do not fit the bundle.
    """

    def __init__(
        self,
        bundle: Bundle,
        profiles: Mapping[str, Profile | None],
        neighbours: Mapping[str, Profile] = MappingProxyType({}),
    ) -> None:
        self._identifier = identifier_of(bundle)
        known = {**neighbours, **{name: profile for name, profile in profiles.items() if profile is not None}}
        self._matcher = Matcher(
            {
                name: profile.likeness
                for name, profile in known.items()
                if profile.likeness is not None and (name in profiles or profile.bundle == bundle.ref)
            }
        )
        self._commissioned = {name: profile.created_ns for name, profile in profiles.items() if profile is not None}
        self._provisional = frozenset(name for name, profile in profiles.items() if profile and profile.provisional)
        self._listeners = {
            machine_id: MachineListener(
                machine_id,
                self._identifier,
                profile,
                lambda name: type_prior(bundle, name),
                matcher=self._matcher,
                labels=bundle.manifest.labels,
                faults=None if profile is None else fault_prototypes(bundle, profile.machine_type),
            )
            for machine_id, profile in profiles.items()
        }

    @property
    def machines(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(self._listeners)

    @property
    def commissioned(self) -> Mapping[str, int]:
        """When each commissioned machine was, wall time in nanoseconds."""
        return self._commissioned

    @property
    def provisional(self) -> frozenset[str]:
        """Those of them of which too little was learnt for a calibrated threshold."""
        return self._provisional

    def listener(self, machine_id: str) -> MachineListener:
        """The machine's listener; raises `KeyError` for one that is not on the roster."""
        return self._listeners[machine_id]

    def router(self) -> ManyListener:
        """A listener that lets the sound say which machine it is.

        By the profiles of commissioned machines, where the encoder gives embeddings to compare; by the encoder's own
        labels before any machine was commissioned.
        """
        return _Router(self._identifier, self._matcher, self._listeners)

    def take_over(self, former: Self) -> None:
        """Go on with the alarms of a former roster: the same machines, with other profiles or budgets."""
        for machine_id, listener in self._listeners.items():
            if machine_id in former._listeners:
                listener.take_over(former._listeners[machine_id])

    def resume(self, machine_id: str, episode: Episode) -> None:
        """Go on with an alarm that was on when the agent ended; a machine that is gone has none."""
        if machine_id in self._listeners:
            self._listeners[machine_id].resume(episode)

    def forget(self) -> None:
        """What comes next is another recording."""
        for listener in self._listeners.values():
            listener.forget()


class _Router:
    """Names the machine that the window sounds like and lets its listener hear it."""

    def __init__(self, identifier: Identifier, matcher: Matcher, listeners: Mapping[str, MachineListener]) -> None:
        self._identifier = identifier
        self._matcher = matcher
        self._listeners = listeners

    def hear(self, window: AnalysedWindow, start_ns: int) -> Heard:
        (opinion,) = self.consider((window,))
        return self.conclude(opinion, start_ns)

    def consider(self, windows: Sequence[AnalysedWindow]) -> list[Opinion]:
        impressions = impressions_of([window.features for window in windows], self._identifier, self._matcher)
        places: dict[str, list[int]] = {}
        for place, impression in enumerate(impressions):
            places.setdefault(_label(impression), []).append(place)
        opinions: dict[int, Opinion] = {}
        for label, own in places.items():
            if label in self._listeners:
                judged = self._listeners[label].judge([windows[i] for i in own], [impressions[i] for i in own])
                opinions.update(zip(own, judged, strict=True))
            else:
                opinions.update((i, Opinion(label, windows[i], impressions[i], None)) for i in own)
        return [opinions[place] for place in range(len(windows))]

    def conclude(self, opinion: Opinion, start_ns: int) -> Heard:
        if opinion.machine_id in self._listeners:
            return self._listeners[opinion.machine_id].conclude(opinion, start_ns)
        state = MachineState.UNKNOWN if opinion.machine_id == UNKNOWN else MachineState.UNCOMMISSIONED
        sounds = opinion.impression
        return Heard(opinion.machine_id, sounds.identity, None, state, None, sounds.match)


def _label(impression: Impression) -> str:
    """The machine that a window sounds like."""
    if impression.match is not None:
        return impression.match.machine
    return UNKNOWN if impression.identity is None else impression.identity.label
