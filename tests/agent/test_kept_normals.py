"""What of a machine's normal sound may lie on the disk: nothing in which somebody may speak."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.agent.clips.normals import withheld_by
from edge_agent.commissioning.withhold import KEEP_ALL
from edge_agent.config.clips import ClipsSection
from edge_agent.config.settings import AgentSettings
from edge_agent.signal.logmel import log_mel_db
from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from training_hub.speech.dataset import mixed
from training_hub.speech.voices import RATE_HZ, Utterance, speak

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def fan() -> NDArray[np.float32]:
    return MachineSimulator(random_spec(MachineType.FAN, np.random.default_rng(7)), 7).render(10 * RATE_HZ)


def settings_of(**clips: object) -> AgentSettings:
    return AgentSettings(clips=ClipsSection(**clips))  # type: ignore[arg-type]  # fields of the section, by name


@needs_espeak
@pytest.mark.parametrize("policy", ["drop", "mask"])
def test_a_window_with_a_voice_is_withheld(policy: str) -> None:
    said = speak(Utterance("en-gb+f3", 160, 50, "please close the valve before you leave"))
    voice = np.zeros(10 * RATE_HZ, np.float32)
    voice[RATE_HZ : RATE_HZ + len(said)] = said[: 9 * RATE_HZ]
    rule = withheld_by(settings_of(speech=policy))
    assert not rule.holds(log_mel_db(fan()))
    assert rule.holds(log_mel_db(mixed(voice, fan(), 10.0)))
    assert "somebody may speak" in rule.in_words(1, 60)


def test_where_speech_is_not_screened_all_is_kept() -> None:
    assert withheld_by(settings_of(speech="off")) is KEEP_ALL


def test_where_nothing_may_be_kept_nothing_is() -> None:
    rule = withheld_by(settings_of(enabled=False, speech="off"))
    assert rule.holds(log_mel_db(fan())) and "clips.enabled" in rule.why


def test_what_cannot_be_screened_is_not_kept(tmp_path: Path) -> None:
    rule = withheld_by(settings_of(detector=tmp_path))
    assert rule.holds(log_mel_db(fan())) and "cannot be screened" in rule.why
