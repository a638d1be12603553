"""What a microphone in a plant hears besides people: machines, rooms, and sounds that move as fast as syllables do."""

from collections.abc import Callable

import numpy as np
import soxr
from numpy.typing import NDArray

from edge_agent.simulate import FaultKind, MachineSimulator, MachineState, MachineType, fault_kinds, random_spec

FloatArray = NDArray[np.float32]
RATE_HZ = 16_000

_REVERB_S = (0.15, 1.6)


def machine(rng: np.random.Generator, seconds: float) -> FloatArray:
    """A simulated machine, one in two with a fault, one in six idle; `[n]`, RMS 0.05."""
    kind = list(MachineType)[rng.integers(len(MachineType))]
    faults: tuple[FaultKind, ...] = fault_kinds(kind)
    state = MachineState.IDLE if rng.random() < 1 / 6 else MachineState.RUNNING
    simulator = MachineSimulator(random_spec(kind, rng), int(rng.integers(1 << 31)), RATE_HZ, state)
    fault = faults[rng.integers(len(faults))] if rng.random() < 0.5 else None
    return at_rms(simulator.render(round(seconds * RATE_HZ), fault, float(rng.uniform(0.3, 1.0))))


def clatter(rng: np.random.Generator, seconds: float) -> FloatArray:
    """Sounds that are no speech and yet move like it, on a bed of noise; `[n]`, RMS 0.05.

    What is learnt against: whatever has only one of the marks of speech, its rhythm (3 to 8 bursts a second), its pitch
    (harmonics of 80 to 300 Hz) or its glides, but not all of them together with formants that move.
    """
    count = round(seconds * RATE_HZ)
    sound = coloured_noise(rng, count) * np.float32(10 ** rng.uniform(-2.5, -0.5))
    for _ in range(int(rng.integers(1, 4))):
        sound += _CLATTER[rng.integers(len(_CLATTER))](rng, count) * np.float32(10 ** rng.uniform(-1.0, 0.0))
    return at_rms(sound)


def coloured_noise(rng: np.random.Generator, count: int) -> FloatArray:
    """Noise whose spectrum falls or rises by a random slope, with a few broad humps; unit power."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency_hz = np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 20.0)
    shape_db = rng.uniform(-9.0, 3.0) * np.log2(frequency_hz / 1000.0)
    for _ in range(int(rng.integers(0, 4))):
        centre, octaves = 100.0 * 2 ** rng.uniform(0, 6), rng.uniform(0.1, 1.0)
        shape_db = shape_db + rng.uniform(-12, 18) * np.exp(-0.5 * (np.log2(frequency_hz / centre) / octaves) ** 2)
    return at_rms(np.fft.irfft(spectrum * 10 ** (shape_db / 20), count).astype(np.float32), 1.0)


def reverberant(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """In a room: a direct sound and an exponentially decaying tail of noise (J. D. Polack, 1988)."""
    decay_s = float(np.exp(rng.uniform(*np.log(_REVERB_S))))
    time_s = np.arange(round(decay_s * RATE_HZ)) / RATE_HZ
    tail = rng.standard_normal(len(time_s)) * np.exp(-6.91 * time_s / decay_s)
    tail *= 10 ** (rng.uniform(-12.0, 3.0) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] += 1.0
    size = _fast_size(len(samples) + len(tail))
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: len(samples)]
    return np.asarray(wet, np.float32)


def filtered(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Through a microphone and whatever stands before it: a slope, a low and a high limit."""
    spectrum = np.fft.rfft(samples)
    frequency_hz = np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE_HZ), 20.0)
    gain_db = rng.uniform(-5.0, 3.0) * np.log2(frequency_hz / 1000.0)
    low_hz, high_hz = 40.0 * 2 ** rng.uniform(0, 3), 8000.0 * 2 ** -rng.uniform(0, 1.8)
    gain_db = (
        gain_db - 10 * np.log10(1 + (low_hz / frequency_hz) ** 4) - 10 * np.log10(1 + (frequency_hz / high_hz) ** 8)
    )
    return np.fft.irfft(spectrum * 10 ** (gain_db / 20), len(samples)).astype(np.float32)


def resampled(samples: FloatArray, factor: float) -> FloatArray:
    """Faster and higher by a factor: a voice with a shorter throat."""
    return np.asarray(soxr.resample(samples, RATE_HZ * factor, RATE_HZ), np.float32)


def at_rms(samples: FloatArray, rms: float = 0.05) -> FloatArray:
    """The same sound at a given RMS; silence stays silence."""
    found = float(np.sqrt(np.square(samples, dtype=np.float64).mean()))
    return np.asarray(samples * np.float32(rms / max(found, 1e-9)), np.float32)


def _fast_size(count: int) -> int:
    """A power of two that holds so many samples: transforms of other lengths take many times as long."""
    return 1 << (count - 1).bit_length()


def _bursts(rng: np.random.Generator, count: int) -> FloatArray:
    """Noise switched at a steady or a ragged beat: chatter, stamping, valves."""
    period_s, duty = 1 / rng.uniform(0.7, 14.0), rng.uniform(0.05, 0.7)
    ragged = (0.0, 0.05, 0.4)[int(rng.integers(3))]
    edges = np.cumsum(period_s * (1 + ragged * rng.standard_normal(round(count / RATE_HZ / period_s) + 2)).clip(0.2))
    return coloured_noise(rng, count) * _envelope(rng, count, edges, duty * period_s)


def _ringing(rng: np.random.Generator, count: int) -> FloatArray:
    """Blows on metal: decaying modes."""
    sound = np.zeros(count)
    modes_hz = 150.0 * 2 ** rng.uniform(0, 5.3, int(rng.integers(2, 8)))
    decay_s = 10 ** rng.uniform(-2.2, -0.3)
    length = min(count, round(6 * decay_s * RATE_HZ))
    time_s = np.arange(length) / RATE_HZ
    ring = sum(rng.uniform(0.2, 1) * np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6)) for hz in modes_hz)
    ring = ring * np.exp(-time_s / decay_s)
    for start in np.flatnonzero(rng.random(count) < rng.uniform(0.5, 9.0) / RATE_HZ).tolist():
        part = min(length, count - start)
        sound[start : start + part] += ring[:part] * rng.uniform(0.3, 1.0)
    return at_rms(sound.astype(np.float32), 1.0)


def _whine(rng: np.random.Generator, count: int) -> FloatArray:
    """Harmonics whose pitch drifts, steps or wobbles: motors that start, stop and hunt."""
    time_s = np.arange(count) / RATE_HZ
    pitch_hz = 40.0 * 2 ** rng.uniform(0, 5)
    bend = {
        0: np.zeros(count),
        1: np.linspace(0, rng.uniform(-1.5, 1.5), count),
        2: rng.uniform(0.01, 0.3) * np.sin(2 * np.pi * rng.uniform(0.2, 8.0) * time_s),
        3: np.repeat(rng.uniform(-1, 1, count // 4000 + 1), 4000)[:count],
    }[int(rng.integers(4))]
    phase = 2 * np.pi * np.cumsum(pitch_hz * 2**bend) / RATE_HZ
    orders = range(1, max(2, min(40, int(7000 / pitch_hz))))
    slope = rng.uniform(0.3, 2.0)
    tone = sum(order**-slope * np.sin(order * phase + rng.uniform(0, 6)) for order in orders)
    return at_rms(np.asarray(tone, np.float32), 1.0)


def _beeps(rng: np.random.Generator, count: int) -> FloatArray:
    """Tones that are switched: signals of forklifts, panels, telephones."""
    period_s = 1 / rng.uniform(0.5, 8.0)
    edges = np.arange(0, count / RATE_HZ, period_s)
    return _whine(rng, count) * _envelope(rng, count, edges, period_s * rng.uniform(0.2, 0.8))


def _swell(rng: np.random.Generator, count: int) -> FloatArray:
    """Noise or a tone whose loudness sways: air, cutting, wind on the microphone."""
    time_s = np.arange(count) / RATE_HZ
    sway = 1 + rng.uniform(0.3, 1.0) * np.sin(2 * np.pi * rng.uniform(0.3, 10.0) * time_s + rng.uniform(0, 6))
    carrier = coloured_noise(rng, count) if rng.random() < 0.6 else _whine(rng, count)
    return at_rms(np.asarray(carrier * sway, np.float32), 1.0)


def _rotors(rng: np.random.Generator, count: int) -> FloatArray:
    """One to four rotors close in pitch that follow a throttle, and noise that swells along: drones, fans, grinders."""
    throttle = 2 ** (rng.uniform(0.02, 0.5) * _wander(rng, count, rng.uniform(0.3, 9.0)))
    pitch_hz, orders = 60.0 * 2 ** rng.uniform(0, 3), int(rng.integers(4, 24))
    slope, sound = rng.uniform(0.0, 1.5), np.zeros(count)
    weights = rng.uniform(0.1, 1.0, orders) * np.arange(1, orders + 1) ** -slope
    for _ in range(int(rng.integers(1, 5))):
        own = 2 ** (0.03 * rng.standard_normal() + 0.01 * _wander(rng, count, 4.0))
        phase = 2 * np.pi * np.cumsum(pitch_hz * own * throttle) / RATE_HZ
        top = min(orders, int(7500 / (pitch_hz * 1.6)))
        sound += sum(weights[k - 1] * np.sin(k * phase + rng.uniform(0, 6)) for k in range(1, top + 1))
    noise = coloured_noise(rng, count) * throttle ** rng.uniform(0, 5)
    mix = at_rms(np.asarray(sound, np.float32), 1.0) + np.asarray(noise * 10 ** rng.uniform(-1.2, 0.5), np.float32)
    return at_rms(np.asarray(mix * throttle ** rng.uniform(0, 3), np.float32), 1.0)


def _strokes(rng: np.random.Generator, count: int) -> FloatArray:
    """Noise in a moving band, to and fro: sawing, filing, brushing, a slide that squeals."""
    time_s = np.arange(count) / RATE_HZ
    beat = np.sin(2 * np.pi * rng.uniform(0.5, 6.0) * time_s + 0.3 * _wander(rng, count, 1.0))
    loudness = np.abs(beat) ** rng.uniform(0.3, 3.0)
    centre_hz = 400.0 * 2 ** (rng.uniform(0, 3.5) + rng.uniform(0, 1.0) * beat)
    width_hz = rng.uniform(20.0, 1500.0)
    # noise around a carrier: a low-pass of half the width, shifted to the centre
    base = _wander(rng, count, width_hz) + 1j * _wander(rng, count, width_hz)
    carrier = np.exp(2j * np.pi * np.cumsum(np.minimum(centre_hz, 7500.0)) / RATE_HZ)
    return at_rms(np.asarray((base * carrier).real * loudness, np.float32), 1.0)


def _wander(rng: np.random.Generator, count: int, cutoff_hz: float) -> NDArray[np.float64]:
    """Slow noise of unit variance, nothing above a frequency."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum[np.fft.rfftfreq(count, 1 / RATE_HZ) > cutoff_hz] = 0.0
    slow = np.fft.irfft(spectrum, count)
    return np.asarray(slow / max(float(slow.std()), 1e-9), np.float64)


def _envelope(rng: np.random.Generator, count: int, edges_s: NDArray[np.float64], length_s: float) -> FloatArray:
    """On for `length_s` from every edge, with soft ends."""
    gate = np.zeros(count, np.float32)
    for edge_s in edges_s:
        start = int(edge_s * RATE_HZ)
        gate[start : start + max(1, int(length_s * RATE_HZ))] = rng.uniform(0.4, 1.0)
    soft = max(1, int(RATE_HZ * 10 ** rng.uniform(-3.0, -1.5)))
    kernel = np.full(soft, 1 / soft, np.float32)
    size = _fast_size(count + soft)
    return np.fft.irfft(np.fft.rfft(gate, size) * np.fft.rfft(kernel, size), size)[:count].astype(np.float32)


_CLATTER: tuple[Callable[[np.random.Generator, int], FloatArray], ...] = (
    _bursts, _ringing, _whine, _beeps, _swell, _rotors, _rotors, _strokes,
)  # fmt: skip
