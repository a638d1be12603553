"""Background that no licence restricts: coloured noise, passing events, and machines that are nobody's."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.recording import BACKGROUND_TYPE, Recording

LICENCE = "Apache-2.0 (this project's own simulation)"
_VERSION = 2  # raise it when the sounds change, so that no old features are used
_LENGTH_S = 10.0
_LOWEST_HZ = 20.0
_RMS = 0.05

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class NoisePlan:
    """How much background to make.

    Attributes:
        coloured: Recordings of coloured noise.
        events: Recordings of passing events over coloured noise.
        strangers_per_type: Machines of each type that are no label: the neighbours of a machine on its site.
    """

    coloured: int = 64
    events: int = 192
    strangers_per_type: int = 16


def simulate_noise(plan: NoisePlan, seed: int, cache: FeatureCache) -> list[Recording]:
    """Recordings of background, each another draw."""
    return [
        *(_recording("coloured", k, seed, cache) for k in range(plan.coloured)),
        *(_recording("event", k, seed, cache) for k in range(plan.events)),
        *(_recording("stranger", k, seed, cache) for k in range(plan.strangers_per_type * len(MachineType))),
    ]


def render_noise(kind: str, rng: np.random.Generator, rate_hz: int) -> NDArray[np.float32]:
    """Ten seconds of background.

    Args:
        kind: `coloured`, `event` or `stranger`.
        rng: Decides everything.
        rate_hz: Sample rate.
    """
    if kind == "stranger":
        machine_type = list(MachineType)[int(rng.integers(len(MachineType)))]
        spec = random_spec(machine_type, rng, "stranger")
        return MachineSimulator(spec, int(rng.integers(1 << 31)), rate_hz).render(round(_LENGTH_S * rate_hz))
    n = round(_LENGTH_S * rate_hz)
    samples = _coloured(rng, n, rate_hz, (-9.0, 3.0)) * _swell(rng, n, rate_hz)
    if kind == "event":
        samples *= 10.0 ** (-rng.uniform(0.0, 30.0) / 20.0)
        for start, event in _events(rng, n, rate_hz):
            samples[start : start + len(event)] += event[: n - start]
    scaled: NDArray[np.float32] = (_RMS * samples / np.sqrt(np.mean(samples**2))).astype(np.float32)
    return scaled


def _recording(kind: str, k: int, seed: int, cache: FeatureCache) -> Recording:
    def render() -> NDArray[np.float32]:
        return render_noise(kind, np.random.default_rng([seed, 99, k, *kind.encode()]), cache.settings.sample_rate_hz)

    return Recording(
        name=f"noise/{kind}/{k}",
        machine_id=f"noise_{kind}_{k:03d}",
        machine_type=BACKGROUND_TYPE,
        condition=BACKGROUND_TYPE,
        group=f"noise/{kind}/{k}",
        licence=LICENCE,
        log_mel_db=cache.log_mel(f"noise|{_VERSION}|{kind}|{seed}|{k}", render),
    )


def _coloured(rng: np.random.Generator, n: int, rate_hz: int, slope_db: tuple[float, float]) -> FloatArray:
    """Gaussian noise of unit power with a spectral slope drawn from a range, dB per octave."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / rate_hz), _LOWEST_HZ) / 1000.0)
    samples = np.fft.irfft(spectrum * 10.0 ** (rng.uniform(*slope_db) * octaves / 20.0), n)
    return np.asarray(samples / np.sqrt(np.mean(samples**2)))


def _swell(rng: np.random.Generator, n: int, rate_hz: int) -> FloatArray:
    """A slow rise and fall of up to 6 dB either way."""
    turns = rng.uniform(0.05, 1) * np.arange(n) / rate_hz + rng.random()
    return np.asarray(10.0 ** (rng.uniform(0, 6) * np.sin(2 * np.pi * turns) / 20.0))


def _events(rng: np.random.Generator, n: int, rate_hz: int) -> Iterator[tuple[int, FloatArray]]:
    """Where each event begins, and its samples: glides, bursts, rings and beats of one or two kinds a recording."""
    kinds = rng.choice(4, size=int(rng.integers(1, 3)), replace=False)
    for kind in kinds:
        pitch_hz = float(np.exp(rng.uniform(np.log(80.0), np.log(5000.0))))
        length_s = float(np.exp(rng.uniform(np.log(0.05), np.log(4.0))))
        for _ in range(int(rng.integers(1, 2 + round(8.0 / (0.3 + length_s))))):
            m = max(32, round(length_s * rng.uniform(0.7, 1.4) * rate_hz))
            loudness = 10.0 ** (rng.normal(0.0, 4.0) / 20.0)
            yield int(rng.integers(n)), loudness * _event(int(kind), rng, m, rate_hz, pitch_hz * rng.uniform(0.9, 1.1))


def _event(kind: int, rng: np.random.Generator, m: int, rate_hz: int, pitch_hz: float) -> FloatArray:
    at_s = np.arange(m) / rate_hz
    attack = np.minimum(1.0, at_s / rng.uniform(0.002, 0.1)) * np.minimum(1.0, at_s[::-1] / 0.02)
    if kind == 0:  # a glide of harmonics: voice, siren, bird
        glide = pitch_hz * 2.0 ** (rng.uniform(-1, 1) * at_s / at_s[-1] + 0.1 * np.sin(2 * np.pi * 5 * at_s))
        phase = 2 * np.pi * np.cumsum(glide) / rate_hz
        count = max(1, min(12, int(0.45 * rate_hz / (2.5 * pitch_hz))))
        return np.asarray(attack * sum(np.sin(k * phase) / k ** rng.uniform(0.3, 2) for k in range(1, count + 1)))
    if kind == 1:  # a burst of noise: air, rain, a door
        return attack * _coloured(rng, m, rate_hz, (-9.0, 9.0))
    if kind == 2:  # something struck: modes that ring
        modes_hz = pitch_hz * np.cumsum(rng.uniform(0.3, 1.5, 5))
        decays_s = rng.uniform(0.01, 0.4, 5)
        modes = [np.exp(-at_s / d) * np.sin(2 * np.pi * f * at_s) for f, d in zip(modes_hz, decays_s, strict=True)]
        return np.asarray(2.0 * sum(mode for mode, f in zip(modes, modes_hz, strict=True) if f < 0.45 * rate_hz))
    # noise that beats: an engine, steps, a helicopter
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1.0, 25.0) * at_s)
    return np.asarray(attack * beat ** rng.uniform(0.5, 6.0) * _coloured(rng, m, rate_hz, (-9.0, 3.0)))
