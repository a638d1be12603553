"""Is this sound fit to learn from? What commissioning refuses, and what it leaves out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording
from edge_agent.detection.held_out import HeldOut
from edge_agent.detection.input_health import dead_input
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.states import FOUND_DISTANCE_DB, FOUND_GAP_RATIO, coarse_shapes

FloatArray = NDArray[np.float64]

MIN_FRAMES = 60
LEVEL_OUTLIER_DB = 15.0
OUTLIER_SPREADS = 8.0
_MIN_FOR_OUTLIERS = 5
_MIN_FOR_START_UP = 6
_START_UP_WITHIN = 360
_MAX_TRIM_SHARE = 0.1
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Outlier:
    """A recording to leave out: its place in the list, and why."""

    recording: int
    reason: str


def trim_allowance(recordings: int) -> int:
    """How many recordings may be left out: a tenth, at least one of five or more.

    >>> [trim_allowance(n) for n in (4, 5, 19, 20, 60)]
    [0, 1, 1, 2, 6]
    """
    return max(1, int(recordings * _MAX_TRIM_SHARE)) if recordings >= _MIN_FOR_OUTLIERS else 0


def silent_recordings(recordings: Sequence[Recording]) -> list[Outlier]:
    """Recordings that hold a dead window, or hardly any sound at all."""
    found = []
    for index, recording in enumerate(recordings):
        for window, level in zip(recording.windows, recording.levels, strict=True):
            dead = dead_input(window, level)
            if dead is not None:
                found.append(Outlier(index, dead.message))
                break
        else:
            frames = max(window.frames for window in recording.windows)
            if frames < MIN_FRAMES:
                found.append(Outlier(index, f"only {frames * 0.032:.1f} s of sound, less than 2 s"))
    return found


def copies(recordings: Sequence[Recording]) -> list[Outlier]:
    """Recordings that are the same sound as an earlier one, to the last bit: they would vouch for each other."""
    first: dict[bytes, int] = {}
    found = []
    for index, recording in enumerate(recordings):
        digest = hashlib.sha256()
        for window in recording.windows:
            digest.update(np.ascontiguousarray(window.log_mel_db).tobytes())
        original = first.setdefault(digest.digest(), index)
        if original != index:
            found.append(Outlier(index, f"a copy of {recordings[original].name}"))
    return found


def level_outliers(recordings: Sequence[Recording], states: Sequence[int]) -> list[Outlier]:
    """Recordings much louder or quieter than the others of their operating state, but for those vouched for.

    Args:
        recordings: The recordings.
        states: The state that each shows; idling is quieter than working, and no outlier.
    """
    found = []
    levels = np.array([np.median([w.log_mel_db.mean(dtype=np.float64) for w in r.windows]) for r in recordings])
    for state in dict.fromkeys(states):
        own = [i for i, other in enumerate(states) if other == state]
        if len(own) < _MIN_FOR_OUTLIERS:
            continue
        middle = np.median(levels[own])
        for i in own:
            excess_db = levels[i] - middle
            if abs(excess_db) > LEVEL_OUTLIER_DB and not recordings[i].trusted:
                direction = "louder" if excess_db > 0 else "quieter"
                found.append(Outlier(i, f"{abs(excess_db):.0f} dB {direction} than the others"))
    return sorted(found, key=lambda outlier: outlier.recording)


def start_up(recordings: Sequence[Recording], kept: Sequence[int]) -> list[Outlier]:
    """The first recordings, where they stand apart from all later ones: the machine was still running up.

    Apart means: every one of the first windows is at least three times as far from every later window as any later
    window is from its nearest fellow. Of 21 simulated machines switched on within two minutes of recording all are
    found; of random choices of 5 to 40 windows of 21 machines that ran, 2 in 1,000 are taken for one.

    Args:
        recordings: The recordings, in order of time.
        kept: Places of those that are looked at.

    Raises:
        CommissioningError: One recording holds both, and cannot be left out in part.
    """
    usable = [(window, i) for i in kept for window in recordings[i].windows if window.frames >= MIN_FRAMES]
    usable = usable[:_START_UP_WITHIN]
    coarse = coarse_shapes([window for window, _ in usable])
    leading = _leading(coarse)
    places = [i for _, i in usable]
    first = list(dict.fromkeys(places[:leading]))
    if not leading or any(recordings[i].trusted for i in first):
        return []
    if first[-1] == places[leading]:
        raise CommissioningError(
            f"the first {leading} of {len(usable)} windows of {recordings[first[0]].name} sound unlike all later ones: "
            "a start-up; let the machine run warm and record again"
        )
    return [Outlier(i, "unlike all later ones, as when running up") for i in first]


def _leading(coarse: FloatArray) -> int:
    """How many of the first rows stand apart from all later ones, a third of them at most."""
    distances = np.linalg.norm(coarse[:, None, :] - coarse[None, :, :], axis=2)
    for count in range(len(coarse) // 3, 0, -1) if len(coarse) >= _MIN_FOR_START_UP else ():
        later = distances[count:, count:] + np.diag(np.full(len(coarse) - count, np.inf))
        apart = float(np.linalg.norm(coarse[:count].mean(axis=0) - coarse[count:].mean(axis=0)))
        far = distances[:count, count:].min() >= FOUND_GAP_RATIO * later.min(axis=1).max()
        if far and apart >= FOUND_DISTANCE_DB * np.sqrt(coarse.shape[1]):
            return count
    return 0


def score_outliers(held: HeldOut, owners: NDArray[np.int64], prior: TypePrior) -> list[Outlier]:
    """Recordings that some detector finds far odder than all others when they are held out.

    Args:
        held: Held-out scores of the windows.
        owners: `[n]`, the recording that each window is from, by its place in the list.
        prior: How far each detector's scores spread on machines of the type.
    """
    numbers = np.unique(owners)
    if len(numbers) < _MIN_FOR_OUTLIERS:
        return []
    found: dict[int, float] = {}
    for name, values in held.log_scores.items():
        known = np.isfinite(values)
        sums = np.array([values[known & (owners == number)].mean() for number in np.unique(owners[known])])
        middle = np.median(sums)
        spread = max(1.4826 * float(np.median(np.abs(sums - middle))), prior.of(name).spread)
        for number, z in zip(np.unique(owners[known]), (sums - middle) / spread, strict=True):
            if z > OUTLIER_SPREADS:
                found[int(number)] = max(found.get(int(number), 0.0), float(z))
    return [Outlier(number, f"differs from the others by {z:.0f} spreads") for number, z in sorted(found.items())]


def check_allowance(outliers: Sequence[Outlier], names: Sequence[str], total: int) -> None:
    """Refuse if more recordings differ than may be left out.

    Raises:
        CommissioningError: Too many; names the first few, and says what to do.
    """
    if len(outliers) <= trim_allowance(total):
        return
    places = sorted(outlier.recording for outlier in outliers)
    listed = ", ".join(names[i] for i in places[:_NAMED]) + (", ..." if len(places) > _NAMED else "")
    reason = next(outlier.reason for outlier in outliers if outlier.recording == places[0])
    if places == list(range(len(places))) and total > len(places):
        raise CommissioningError(
            f"the first {len(places)} of {total} recordings ({listed}) differ from the later ones ({reason}): a "
            "start-up; let the machine run warm and record again"
        )
    raise CommissioningError(
        f"{len(places)} of {total} recordings ({listed}) cannot be learnt from ({reason}); "
        f"at most {trim_allowance(total)} may be left out: record again, one machine in normal work"
    )
