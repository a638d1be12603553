"""Which machine a window sounds like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.grouped import sums_by_group
from edge_agent.detection.unit import unit
from edge_agent.inference.arrays import read_npz
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.errors import BundleError

UNKNOWN = "unknown"
IDENTITY_NAME = "identity.npz"
TOP = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """One identity and the probability given to it."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Identity:
    """The encoder's word on one window.

    Attributes:
        label: The likeliest identity, or `unknown` where its confidence is below the calibrated limit.
        confidence: Probability of its machine type, 0 to 1; of the machine itself where the bundle is not calibrated.
        top: The likeliest identities, best first.
    """

    label: str
    confidence: float
    top: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, eq=False)
class IdentityCalibration:
    """What turns logits into probabilities that can be trusted.

    Attributes:
        temperature: Divides the logits (Guo et al. 2017, On Calibration of Modern Neural Networks).
        min_confidence: Below it the answer is `unknown`.
        centres: `[n, size]` mean embeddings of the labels that were heard in calibration; None where nothing is known.
        centre_labels: `[n]`, the label of each, by its place among the labels.
        min_cosine: A window whose mean embedding is less alike to every centre of the label's type is `unknown`.
            A type without any centre was never heard, and is `unknown` too.
    """

    temperature: float = 1.0
    min_confidence: float = 0.5
    centres: NDArray[np.float32] | None = None
    centre_labels: NDArray[np.int64] | None = None
    min_cosine: float = -1.0

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of `identity.npz`; only for a calibration with centres."""
        if self.centres is None or self.centre_labels is None:
            raise BundleError("an identity calibration without centres is not written; calibrate it first")
        return {
            "limits": np.array([self.temperature, self.min_confidence, self.min_cosine]),
            "centres": self.centres,
            "centre_labels": self.centre_labels,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], labels: int, size: int) -> Self:
        """Read as hostile input.

        Args:
            arrays: What `to_arrays` gave.
            labels: How many labels the bundle has.
            size: Values of an embedding.

        Raises:
            BundleError: An array is missing, or of another shape or range.
        """
        limits, centres, owners = (arrays.get(name) for name in ("limits", "centres", "centre_labels"))
        if limits is None or centres is None or owners is None:
            raise BundleError("identity.npz lacks limits, centres or centre_labels; calibrate the identity again")
        if (
            limits.shape != (3,)
            or limits.dtype.kind != "f"
            or centres.ndim != 2
            or centres.dtype.kind != "f"
            or centres.shape[1] != size
            or owners.shape != (len(centres),)
            or owners.dtype.kind != "i"
            or not len(centres)
            or owners.min() < 0
            or owners.max() >= labels
        ):
            raise BundleError("identity.npz does not fit the bundle's labels; calibrate the identity again")
        temperature, confidence, cosine = (float(value) for value in limits)
        if not (temperature > 0 and 0 <= confidence <= 1 and -1 <= cosine <= 1):
            raise BundleError(
                f"identity.npz: temperature {temperature}, min_confidence {confidence} or min_cosine {cosine} is out "
                "of range; calibrate the identity again"
            )
        return cls(temperature, confidence, centres.astype(np.float32), owners.astype(np.int64), cosine)


class Identifier:
    """Names windows by the mean of their patches' logits.

    Args:
        labels: The machine of each logit.
        calibration: How sure it must be.
        types: The machine type of each logit. With them the confidence is that of the type: machines of one type
            sound alike, and which of them it is matters less than that it is one of them.
    """

    def __init__(
        self, labels: tuple[str, ...], calibration: IdentityCalibration, types: tuple[str, ...] | None = None
    ) -> None:
        self._labels = labels
        self._calibration = calibration
        names = types if types is not None else labels
        self._groups = np.unique(np.array(names), return_inverse=True)[1] if names else np.zeros(0, np.int64)
        self._centres = self._centres_by_group()

    def identify(self, logits: NDArray[np.float32], embeddings: NDArray[np.float32] | None = None) -> Identity | None:
        """Identity of one window.

        Args:
            logits: `[patches, labels]`.
            embeddings: `[patches, size]`; without them the likeness to what was heard is not asked for.

        Returns:
            None where the window holds no whole patch or the bundle knows no identities.
        """
        return self.identify_all([(logits, None if embeddings is None else unit(embeddings))])[0]

    def identify_all(
        self, windows: Sequence[tuple[NDArray[np.float32], NDArray[np.float32] | None]]
    ) -> list[Identity | None]:
        """As `identify` of each window's logits and embeddings, these of length one, in one go."""
        found: list[Identity | None] = [None] * len(windows)
        places = [place for place, (logits, _) in enumerate(windows) if logits.size]
        if not places:
            return found
        sums = [np.add.reduce(windows[place][0], axis=0, dtype=np.float64) / len(windows[place][0]) for place in places]
        scaled = np.array(sums) / self._calibration.temperature
        weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities = weights / weights.sum(axis=1, keepdims=True)
        by_group = sums_by_group(probabilities, self._groups, int(self._groups.max()) + 1)
        groups = by_group.argmax(axis=1)
        best = np.where(self._groups == groups[:, None], probabilities, -1.0).argmax(axis=1)
        likeliest = _highest(probabilities)
        for row, place in enumerate(places):
            group, first, own = int(groups[row]), int(best[row]), probabilities[row]
            order = [first, *(i for i in likeliest[row] if i != first)][:TOP]
            top = tuple(Candidate(self._labels[i], float(own[i])) for i in order)
            confidence = min(1.0, float(by_group[row, group]))
            known = confidence >= self._calibration.min_confidence and self._was_heard(group, windows[place][1])
            found[place] = Identity(self._labels[first] if known else UNKNOWN, confidence, top)
        return found

    def _centres_by_group(self) -> list[NDArray[np.float32]]:
        """Directions of the calibration's centres of each group of labels; no rows for one that was never heard."""
        calibration = self._calibration
        if calibration.centres is None or calibration.centre_labels is None:
            return []
        owners = self._groups[calibration.centre_labels]
        return [unit(calibration.centres[owners == group]) for group in range(int(self._groups.max()) + 1)]

    def _was_heard(self, group: int, units: NDArray[np.float32] | None) -> bool:
        if not self._centres or units is None:
            return True
        centres = self._centres[group]
        if not len(centres):
            return False
        return bool((centres @ _direction_of_mean(units)).max() >= self._calibration.min_cosine)


def _highest(probabilities: NDArray[np.float64]) -> list[list[int]]:
    """The places of the `TOP` highest of each row, best first; of equals the first."""
    rest, rows = probabilities.copy(), np.arange(len(probabilities))
    found = []
    for _ in range(min(TOP, probabilities.shape[1])):
        found.append(rest.argmax(axis=1))
        rest[rows, found[-1]] = -1.0
    return np.array(found).T.tolist()  # type: ignore[no-any-return]  # of whole numbers


def mean_direction(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Direction of the mean of unit embeddings `[patches, size]`: a unit vector `[size]`."""
    return _direction_of_mean(unit(embeddings))


def _direction_of_mean(units: NDArray[np.float32]) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = unit(units.mean(axis=0, keepdims=True))[0]
    return mean


def calibration_of(bundle: Bundle) -> IdentityCalibration:
    """The bundle's calibration of identities; the default one where it has none.

    Raises:
        BundleError: The file is damaged or does not fit the bundle.
    """
    if IDENTITY_NAME not in bundle.manifest.file_names:
        return IdentityCalibration()
    arrays = read_npz(bundle.read(IDENTITY_NAME), name=str(bundle.root / IDENTITY_NAME))
    embedding = bundle.manifest.encoder.output("embedding")
    return IdentityCalibration.from_arrays(arrays, len(bundle.manifest.labels), embedding.size if embedding else 0)


def identifier_of(bundle: Bundle) -> Identifier:
    """Names windows as the bundle was calibrated; by machine alone where it was not.

    Raises:
        BundleError: The file is damaged or does not fit the bundle.
    """
    labels = tuple(label.machine_id for label in bundle.manifest.labels)
    calibration = calibration_of(bundle)
    types = tuple(label.machine_type for label in bundle.manifest.labels) if calibration.centres is not None else None
    return Identifier(labels, calibration, types)
