"""A machine's recordings amid a site's other sounds, at another gain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training_hub.evaluation import mixing
from training_hub.evaluation.clips import EvalClip
from training_hub.evaluation.context import Evaluation
from training_hub.evaluation.listen import HeardClip

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Site:
    """Sounds around a machine.

    Attributes:
        evaluation: Whose listener hears.
        noises: Backgrounds; one is drawn for every hearing.
        snr_db: How far they lie below the machine's sound.
    """

    evaluation: Evaluation
    noises: tuple[EvalClip, ...]
    snr_db: float

    def hear(self, clip: EvalClip, gain_db: float, rng: np.random.Generator) -> HeardClip:
        """A recording amid a background from a random place on, the sum at another gain."""
        noise = self.noises[int(rng.integers(len(self.noises)))]
        listener = self.evaluation.listener
        name = f"{clip.name} amid {noise.name}"
        if clip.read_audio is not None:
            audio, other = listener.audio(clip), listener.audio(noise)
            mixed = mixing.mix_at_snr(audio, mixing.fit_length(other, len(audio), rng), self.snr_db)
            samples = mixing.with_gain(mixed, gain_db)
            return listener.hear(clip.with_audio(name, lambda: samples), remember=False)
        assert clip.read_log_mel is not None  # a clip has one of the two
        noise_db = listener.hear(noise).log_mel_db
        frames = mixing.log_mel_mix(clip.read_log_mel(), noise_db, self.snr_db, rng) + np.float32(gain_db)
        return listener.hear(clip.with_log_mel(name, lambda: frames), remember=False)


def hear_at(evaluation: Evaluation, clip: EvalClip, gain_db: float) -> HeardClip:
    """A recording at another gain, with nothing around it."""
    if gain_db == 0.0:
        return evaluation.listener.hear(clip)
    name = f"{clip.name} {gain_db:+g} dB"
    if clip.read_audio is not None:
        samples = mixing.with_gain(evaluation.listener.audio(clip), gain_db)
        return evaluation.listener.hear(clip.with_audio(name, lambda: samples), remember=False)
    assert clip.read_log_mel is not None  # a clip has one of the two
    frames = clip.read_log_mel() + np.float32(gain_db)
    return evaluation.listener.hear(clip.with_log_mel(name, lambda: frames), remember=False)
