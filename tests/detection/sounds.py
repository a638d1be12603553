"""Log-mel windows of a made-up machine: noise of a fixed colour, with a little life in it."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.prior import DetectorPrior, TypePrior

FRAMES = 311
EMBEDDING = 16


def colour(machine: int) -> NDArray[np.float64]:
    """Mean spectrum of machine number `machine`, dB, `[128]`."""
    rng = np.random.default_rng(1000 + machine)
    smooth = np.convolve(rng.normal(size=160), np.hanning(33) / 16, "valid")
    return np.asarray(-60.0 - 0.1 * np.arange(128) + 9.0 * smooth / smooth.std())


def window(
    seed: int,
    machine: int = 0,
    *,
    change_db: NDArray[np.float64] | float = 0.0,
    knocks: bool = False,
    clicks: bool = False,
    gain_db: float = 0.0,
    frames: int = FRAMES,
) -> WindowFeatures:
    """One window: speed and room vary a little from window to window; `change_db` and `knocks` are faults, `clicks`
    are how a valve works."""
    rng = np.random.default_rng(seed)
    tilt = rng.normal(0.0, 1.0) * np.linspace(-1.0, 1.0, 128)
    mean = colour(machine) + tilt + rng.normal(0.0, 0.15, 128) + change_db + gain_db
    power = rng.gamma(3.0, 1.0 / 3.0, size=(frames, 128))
    if knocks:
        power[::16] *= 30.0
    if clicks:
        power[rng.integers(20) :: 12] *= 1000.0
        power[rng.integers(20) :: 12] *= 300.0
    log_mel = (mean + 10.0 * np.log10(power)).astype(np.float32)
    patches = max(0, (frames - 64) // 32 + 1)
    centre = np.random.default_rng(2000 + machine).normal(size=EMBEDDING)
    fault = 2.0 if knocks or np.any(change_db) else 0.0
    embeddings = centre + rng.normal(0.0, 0.2, (patches, EMBEDDING)) + fault * np.eye(EMBEDDING)[0]
    return features(log_mel, embeddings.astype(np.float32))


def features(log_mel_db: NDArray[np.float32], embeddings: NDArray[np.float32]) -> WindowFeatures:
    """Features with the error of a model that rebuilds the mean spectrum of machine 0, whatever it is given."""
    mean = log_mel_db.mean(axis=0, dtype=np.float64)
    error = float(np.square(mean - mean.mean() - (colour(0) - colour(0).mean())).mean())
    return WindowFeatures(log_mel_db, embeddings, np.zeros((len(embeddings), 3), np.float32), error)


def recording(seed: int, machine: int = 0, *, windows: int = 1, gain_db: float = 0.0) -> Recording:
    """A recording of `windows` windows; no audio, so no levels."""
    made = tuple(window(seed * 1000 + k, machine, gain_db=gain_db) for k in range(windows))
    return Recording(f"clip_{seed:03d}.wav", made, (None,) * windows)


def prior(**weights: float) -> TypePrior:
    """A prior that knows the tilt, as a fit on other machines of the type would."""
    chosen = weights or {"shape": 1.0, "floor": 1.0, "texture": 1.0, "transient": 1.0, "embedding": 0.5}
    tilt = np.linspace(-1.0, 1.0, 128)
    of_spectra = np.outer(tilt, tilt) + 0.06 * np.eye(128)
    covariances = {"shape": of_spectra, "floor": of_spectra, "texture": 4e-4 * np.eye(16)}
    return TypePrior(
        "made_up",
        {
            name: DetectorPrior(weight=weight, covariance=covariances.get(name), strength=50.0)
            for name, weight in chosen.items()
        },
        machines=2,
    )
