"""The agent's own detection behind the protocol that baselines share: `commission`, then `MachineScorer`."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edge_agent.detection.amid import Hear
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.features import Recording
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from edge_agent.detection.states import MIN_STATE_WINDOWS
from edge_agent.inference.bundle import GENERIC_TYPE, Bundle
from edge_agent.pipeline.priors import type_prior
from training_hub.evaluation.datasets import EvalData
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.listen import HeardClip, Listener
from training_hub.evaluation.scorer import Family, FitContext, System
from training_hub.training.fit_type import fit_generic, fit_prior
from training_hub.training.normals import MachineNormals

PriorSource = Callable[[FitContext], TypePrior]


class AgentScorer:
    """Commissioned as on a gateway; a clip's score is the mean of its windows' scores.

    Args:
        prior: Chooses the type's prior.
        bundle: The bundle under test.
        hear: Makes features of log-mel frames.
    """

    def __init__(self, prior: PriorSource, bundle: Bundle, hear: Hear) -> None:
        self._prior, self._bundle, self._hear = prior, bundle, hear
        self._scorer: MachineScorer | None = None

    @property
    def scorer(self) -> MachineScorer:
        """The agent's scorer.

        Raises:
            EvaluationError: Not commissioned yet.
        """
        if self._scorer is None:
            raise EvaluationError("the machine is not commissioned; call fit first")
        return self._scorer

    @property
    def profile(self) -> Profile:
        """What commissioning learnt."""
        return self.scorer.profile

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Commission on the clips, each a recording, for scores alone.

        The margin for background, which takes most of the time, moves the threshold and no score.

        Raises:
            CommissioningError: The agent refuses these clips.
        """
        self.commission(normals, context, AlarmBudget(background_margin=False))

    def commission(self, normals: Sequence[HeardClip], context: FitContext, budget: AlarmBudget) -> None:
        """Commission on the clips, each a recording, for a threshold that keeps a budget.

        Raises:
            CommissioningError: The agent refuses these clips.
        """
        self._scorer = None
        prior = self._prior(context)
        profile = commission(
            context.machine_id,
            context.machine_type,
            _recordings(normals),
            prior,
            bundle=self._bundle.ref,
            budget=budget,
            created_ns=0,
            max_states=len({clip.clip.condition for clip in normals}),  # the operator knows how the machine works
            seed=context.seed,
            hear=self._hear,
        )
        self._scorer = MachineScorer(profile, prior)

    def score(self, clip: HeardClip) -> float:
        """Mean of the windows' `-log10 p`."""
        return float(np.mean([self.scorer.score(window.features, window.level).score for window in clip.windows]))


def _recordings(normals: Sequence[HeardClip]) -> list[Recording]:
    """Recordings in order of time; the operator names their states where each is heard often enough to be learnt."""
    ordered = sorted(normals, key=lambda clip: clip.clip.name)
    heard = Counter(clip.clip.condition for clip in ordered for _ in clip.windows)
    named = len(heard) > 1 and min(heard.values()) >= MIN_STATE_WINDOWS
    return [replace(clip.as_recording(), state=clip.clip.condition if named else None) for clip in ordered]


class Priors:
    """Priors that never saw the machine they are used on, made by the product's own fitting.

    The bundle's own types are left aside, but for `shipped`: they may have been fitted on the machines judged here.

    Args:
        bundle: The bundle under test.
        data: All recordings.
        listener: Hears them.
    """

    def __init__(self, bundle: Bundle, data: EvalData, listener: Listener) -> None:
        self._bundle, self._data, self._listener = bundle, data, listener
        self._generic: dict[str, TypePrior] = {}
        self._fitted: dict[tuple[str, ...], TypePrior] = {}

    def generic(self, context: FitContext) -> TypePrior:
        """Fitted on machines of all other types; the bundle's generic one where the data has no other type."""
        if context.machine_type not in self._generic:
            others = [machine for machine in self._data.machines if machine.machine_type != context.machine_type]
            heard = [clip for machine in others for clip in self._listener.hear_all(machine.normals)]
            self._generic[context.machine_type] = (
                fit_generic(machine_normals(heard)) if len(others) > 1 else type_prior(self._bundle, GENERIC_TYPE)
            )
        return self._generic[context.machine_type]

    def of_siblings(self, context: FitContext) -> TypePrior:
        """Fitted on the type's other machines; the generic one where there is none."""
        if not context.siblings:
            return self.generic(context)
        key = tuple(clip.clip.name for clip in context.siblings)
        if key not in self._fitted:
            self._fitted[key] = fit_prior(context.machine_type, machine_normals(context.siblings))
        return self._fitted[key]

    def own(self, context: FitContext) -> TypePrior:
        """No covariance but the machine's own."""
        generic = self.generic(context)
        detectors = {name: replace(prior, covariance=None, strength=0.0) for name, prior in generic.detectors.items()}
        return TypePrior(name="none", detectors=detectors)

    def shipped(self, context: FitContext) -> TypePrior:
        """What the bundle brings, whatever it was fitted on."""
        return type_prior(self._bundle, context.machine_type)


def machine_normals(clips: Sequence[HeardClip]) -> list[MachineNormals]:
    """Clips by machine and operating state, as fitting a type takes them."""
    found: dict[tuple[str, str], list[HeardClip]] = {}
    for clip in clips:
        name = f"{clip.clip.machine_id} {clip.clip.condition}"
        found.setdefault((clip.clip.machine_type, name), []).append(clip)
    normals = []
    for (machine_type, machine_id), members in sorted(found.items()):
        groups = sorted({clip.clip.group for clip in members})
        pairs = [(w.features.log_mel_db, groups.index(clip.clip.group)) for clip in members for w in clip.windows]
        recordings = np.array([recording for _, recording in pairs], np.int64)
        normals.append(MachineNormals(machine_type, machine_id, tuple(frames for frames, _ in pairs), recordings))
    return normals


def our_systems(bundle: Bundle, priors: Priors, hear: Hear) -> tuple[System, ...]:
    """The product, and what it is with less knowledge of the type."""

    def variant(name: str, title: str, prior: PriorSource) -> System:
        return System(name, f"this agent: {title}", Family.OURS, lambda: AgentScorer(prior, bundle, hear))

    found = [
        variant("ours", "type fitted on the type's other machines, generic where there are none", priors.of_siblings),
        variant("ours_generic", "generic prior only, fitted on other types", priors.generic),
        variant("ours_own", "no prior covariance", priors.own),
    ]
    if GENERIC_TYPE in bundle.manifest.machine_types:
        found.append(
            variant("ours_shipped", "the bundle's own types, perhaps fitted on these machines", priors.shipped)
        )
    return tuple(found)
