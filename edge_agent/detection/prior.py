"""What a bundle knows of a machine type before this machine was ever heard."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.errors import DetectionError

FloatArray = NDArray[np.float64]

MAX_DIMENSIONS = 1024
_FORMAT = "format"
_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class DetectorPrior:
    """What is known of one detector's statistic on machines of a type.

    Attributes:
        weight: Its share in the fused score; 0 leaves it out.
        covariance: `[d, d]`, how windows of one machine scatter around that machine's centre; None for a detector
            without one.
        strength: How many clips of the machine itself `covariance` is worth.
        shrinkage: Share of the correlations that is given up, 0 to 1: estimated ones are noisier than variances.
        noise_weight: Weight of the scatter that faint added noise causes (see `covariance.noise_scatter`).
        spread: Standard deviation of the transformed score over a machine's held-out normal windows.
        spread_strength: How many clips of the machine itself `spread` is worth.
    """

    weight: float
    covariance: FloatArray | None = None
    strength: float = 0.0
    shrinkage: float = 0.1
    noise_weight: float = 0.1
    spread: float = 0.25
    spread_strength: float = 4.0

    def __post_init__(self) -> None:
        """Refuse numbers that no fit produces."""
        bounds = {
            "weight": (self.weight, 0.0, 100.0),
            "strength": (self.strength, 0.0, 1e6),
            "shrinkage": (self.shrinkage, 1e-4, 1.0),
            "noise_weight": (self.noise_weight, 0.0, 100.0),
            "spread": (self.spread, 1e-3, 100.0),
            "spread_strength": (self.spread_strength, 0.0, 1e6),
        }
        for name, (value, low, high) in bounds.items():
            if not low <= value <= high:  # also refuses NaN
                raise DetectionError(f"{name} is {value}; it must lie within {low:g} to {high:g}")
        if self.covariance is not None:
            _check_covariance(self.covariance)


@dataclass(frozen=True, slots=True, eq=False)
class TypePrior:
    """The prior of one machine type; `types/<name>.npz` of a bundle.

    Attributes:
        name: The type it was fitted on; `generic` where the bundle lacks the wanted one.
        detectors: By the detector's name.
        machines: How many machines it was fitted on; 0 for one that was made up.
        model_sha256: The model whose output it is made for; empty where the prior's own arrays tell bundles apart.
    """

    name: str
    detectors: Mapping[str, DetectorPrior]
    machines: int = 0
    model_sha256: str = ""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        """Freeze, and take the digest that profiles record."""
        object.__setattr__(self, "detectors", MappingProxyType(dict(self.detectors)))
        sha = hashlib.sha256()
        for key, array in sorted(self.to_arrays().items()):
            sha.update(f"{key} {array.dtype} {array.shape}".encode())
            sha.update(np.ascontiguousarray(array).tobytes())
        object.__setattr__(self, "digest", sha.hexdigest())

    def of(self, detector: str) -> DetectorPrior:
        """The prior of one detector; of weight 0 where the type has none."""
        return self.detectors.get(detector, DetectorPrior(weight=0.0))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for `types/<name>.npz`: the same prior gives the same bytes."""
        arrays: dict[str, NDArray[Any]] = {
            _FORMAT: np.array([_FORMAT_VERSION], np.int32),
            "machines": np.array([self.machines], np.int32),
            "detectors": np.array(sorted(self.detectors) or [""], "U32"),
        }
        if self.model_sha256:
            arrays["model_sha256"] = np.array([self.model_sha256], "U64")
        for name, prior in self.detectors.items():
            arrays[f"{name}.numbers"] = np.array([getattr(prior, key) for key in _NUMBERS], np.float64)
            if prior.covariance is not None:
                rows, columns = np.tril_indices(len(prior.covariance))
                arrays[f"{name}.covariance"] = prior.covariance[rows, columns].astype(np.float32)
        return arrays

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a prior from hostile arrays.

        Raises:
            DetectionError: Something is missing, of another shape, out of bounds, or no covariance.
        """
        version = _array(arrays, _FORMAT, name, (1,))
        if int(version[0]) != _FORMAT_VERSION:
            raise DetectionError(
                f"type {name!r}: format {version[0]}, this agent reads {_FORMAT_VERSION}; fit it again"
            )
        detectors = {}
        listed = _array(arrays, "detectors", name, (None,), kind="U")
        for detector in (str(item) for item in listed if str(item)):
            numbers = _array(arrays, f"{detector}.numbers", name, (len(_NUMBERS),)).astype(np.float64)
            covariance = None
            if f"{detector}.covariance" in arrays:
                packed = _array(arrays, f"{detector}.covariance", name, (None,)).astype(np.float64)
                covariance = _unpack(packed, f"type {name!r}, {detector}.covariance")
            try:
                detectors[detector] = DetectorPrior(
                    covariance=covariance, **dict(zip(_NUMBERS, numbers.tolist(), strict=True))
                )
            except DetectionError as error:
                raise DetectionError(f"type {name!r}, {detector}: {error}") from error
        model = _array(arrays, "model_sha256", name, (1,), kind="U")[0] if "model_sha256" in arrays else ""
        machines = int(_array(arrays, "machines", name, (1,))[0])
        return cls(name=name, detectors=detectors, machines=machines, model_sha256=str(model))


_NUMBERS = ("weight", "strength", "shrinkage", "noise_weight", "spread", "spread_strength")


def _array(
    arrays: Mapping[str, NDArray[Any]], key: str, name: str, shape: tuple[int | None, ...], *, kind: str = "iuf"
) -> NDArray[Any]:
    array = arrays.get(key)
    if array is None:
        raise DetectionError(f"type {name!r}: array {key!r} is missing; fit the type again")
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in kind or not fits or array.size > MAX_DIMENSIONS * MAX_DIMENSIONS:
        raise DetectionError(
            f"type {name!r}: {key} is {array.dtype} {array.shape}, not what a fit writes; fit it again"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DetectionError(f"type {name!r}: {key} holds NaN or infinity; fit the type again")
    return array


def _unpack(packed: FloatArray, what: str) -> FloatArray:
    size = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    if size * (size + 1) // 2 != len(packed) or not 1 <= size <= MAX_DIMENSIONS:
        raise DetectionError(f"{what}: {len(packed)} values are no lower triangle; fit the type again")
    full = np.zeros((size, size))
    full[np.tril_indices(size)] = packed
    return full + np.tril(full, -1).T


def _check_covariance(covariance: FloatArray) -> None:
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise DetectionError(f"covariance has shape {covariance.shape}; it must be square")
    if not np.isfinite(covariance).all() or not np.array_equal(covariance, covariance.T):
        raise DetectionError("covariance is not finite or not symmetric; fit the type again")
    variances = np.diag(covariance)
    if variances.min() <= 0 or np.linalg.eigvalsh(covariance)[0] < -1e-6 * variances.max():
        raise DetectionError("covariance is not positive definite; fit the type again")
