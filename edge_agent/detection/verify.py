"""A second look after fitting: does the calibration keep what it promises, and what does it not know?"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.states import States, alike, coarse_shapes, session_groups
from edge_agent.signal.level import LevelReading

FloatArray = NDArray[np.float64]

MAX_WARNINGS = 32
_MISCALIBRATED = 1e-3
_BULK_PROBABILITY = 0.1
_NOTHING_IN_COMMON_DB = 4.5
_HARDLY_AUDIBLE_DBFS = -80.0
_MIN_FOR_VARIETY = 5
_MOST_COMPARED = 1024


def miscalibration(log10_tails: FloatArray, probability: float) -> str | None:
    """How held-out normal sound contradicts the calibration; None where it agrees.

    At the threshold, or at one in ten, more windows exceed than chance allows (a binomial test at one in a thousand).

    Args:
        log10_tails: `[n]`, log10 of the probability that the calibration gives each held-out normal window.
        probability: With which one normal window may exceed the threshold.
    """
    n = len(log10_tails)
    for limit in (probability, _BULK_PROBABILITY):
        above = int((log10_tails <= math.log10(limit)).sum())
        if above > 1 and binomial_tail(above, n, limit) < _MISCALIBRATED:
            return (
                f"{above} of {n} held-out normal windows would be odder than one in {1 / limit:.0f}, {limit * n:.1f} "
                "were expected: the sound differs too much from recording to recording; record longer, in several "
                "sessions, in all its normal ways of working"
            )
    return None


def binomial_tail(least: int, n: int, probability: float) -> float:
    """Chance of `least` or more among `n`.

    >>> round(binomial_tail(2, 3, 0.5), 6)
    0.5
    """
    return 1.0 - sum(math.comb(n, k) * probability**k * (1.0 - probability) ** (n - k) for k in range(least))


def warnings_of(
    training: TrainingSet,
    states: States,
    levels: Sequence[LevelReading | None],
    *,
    recordings: int,
    provisional: bool,
) -> tuple[str, ...]:
    """What a person should know of a calibration that is kept all the same, one sentence each.

    Args:
        training: The windows, in order of time.
        states: Their operating states.
        levels: Their level, where audio was there.
        recordings: How many recordings they are from.
        provisional: Whether there was little sound; it is then too early to speak of sessions.
    """
    coarse = coarse_shapes(training.windows)
    found = [_hardly_audible(levels), _nothing_in_common(coarse, states)]
    found += _alike_states(coarse, states)
    if not provisional:
        found.append(_sessions(coarse, states, recordings))
    return tuple(warning for warning in found if warning is not None)[:MAX_WARNINGS]


def _hardly_audible(levels: Sequence[LevelReading | None]) -> str | None:
    known = [level.rms_dbfs for level in levels if level is not None and level.rms_dbfs is not None]
    if not known or (middle := float(np.median(known))) >= _HARDLY_AUDIBLE_DBFS:
        return None
    return f"the input is hardly audible ({middle:.0f} dBFS): raise the gain, or move the microphone closer"


def _nothing_in_common(coarse: FloatArray, states: States) -> str | None:
    """Windows of a machine resemble each other, those of a background that comes and goes do not.

    Median distance of two windows' spectra: 0.7 to 3.5 dB for 11 machines, 4.8 and more (99 of 100) for ten clips of
    street, weather and household.
    """
    distances = []
    for number in range(len(states.names)):
        own = coarse[states.numbers == number][:_MOST_COMPARED]
        if len(own) >= _MIN_FOR_VARIETY:
            between = np.linalg.norm(own[:, None, :] - own[None, :, :], axis=2) / math.sqrt(own.shape[1])
            distances.append(float(np.median(between[np.triu_indices(len(own), 1)])))
    if not distances or max(distances) < _NOTHING_IN_COMMON_DB:
        return None
    return (
        f"the windows have little in common ({max(distances):.1f} dB apart; a machine's are 1 to 4): this sounds like "
        "background, not like one machine; is it running, and is the microphone near it?"
    )


def _alike_states(coarse: FloatArray, states: States) -> list[str | None]:
    names = states.names
    return [
        f"the states {names[i]} and {names[j]} sound alike: a verdict may name either"
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if alike(coarse, states.numbers, i, j)
    ]


def _sessions(coarse: FloatArray, states: States, recordings: int) -> str | None:
    """Sound of one session only, or of sessions that differ: other days are then odder than the figures say."""
    widest_db, groups = 0.0, 1
    for number in range(len(states.names)):
        own = coarse[states.numbers == number]
        found = session_groups(own)
        if found.max() > 0:
            centres = np.array([own[found == k].mean(axis=0) for k in range(int(found.max()) + 1)])
            apart = np.linalg.norm(centres[:, None, :] - centres[None, :, :], axis=2) / math.sqrt(own.shape[1])
            widest_db, groups = max(widest_db, float(apart.max())), max(groups, len(centres))
    if groups > 1:
        return (
            f"the recordings come in {groups} groups up to {widest_db:.1f} dB apart (days, speeds, loads): another day "
            "may differ as much, and raise more false alarms than said; add normals of more days"
        )
    if recordings == 1:
        return (
            "all of it is one recording: what another day sounds like is unknown, and may raise more false alarms than "
            "said; add normals of other days"
        )
    return None
