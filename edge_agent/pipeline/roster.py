"""The commissioned machines, and which of them a window belongs to."""

from collections.abc import Iterable

from edge_agent.detection.profile import Profile
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.analyse import AnalysedWindow
from edge_agent.pipeline.identity import UNKNOWN, Identifier, IdentityCalibration
from edge_agent.pipeline.listener import Heard, MachineListener, MachineState
from edge_agent.pipeline.priors import type_prior


class Roster:
    """A listener for every commissioned machine.

    Args:
        bundle: Models and priors.
        profiles: The machines.

    Raises:
        DetectionError: A profile does not belong to the bundle.
    """

    def __init__(self, bundle: Bundle, profiles: Iterable[Profile]) -> None:
        labels = tuple(label.machine_id for label in bundle.manifest.labels)
        self._identifier = Identifier(labels, IdentityCalibration())
        self._listeners = {
            profile.machine_id: MachineListener(
                profile.machine_id, self._identifier, profile, lambda name: type_prior(bundle, name)
            )
            for profile in profiles
        }

    def forget(self) -> None:
        """What comes next is another recording."""
        for listener in self._listeners.values():
            listener.forget()

    def hear(self, machine_id: str | None, window: AnalysedWindow, start_ns: int) -> Heard:
        """Let the machine's listener hear a window; where no machine is named, the sound's identity names it.

        Raises:
            KeyError: The named machine is not on the roster.
        """
        if machine_id is not None:
            return self._listeners[machine_id].hear(window, start_ns)
        identity = self._identifier.identify(window.features.logits)
        label = UNKNOWN if identity is None else identity.label
        if label in self._listeners:
            return self._listeners[label].hear(window, start_ns)
        return Heard(
            label, identity, None, MachineState.UNKNOWN if label == UNKNOWN else MachineState.UNCOMMISSIONED, None
        )
