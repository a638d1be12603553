"""Which machine a window belongs to."""

import numpy as np
import pytest

from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.pipeline.listener import MachineState
from edge_agent.pipeline.roster import Roster
from edge_agent.pipeline.window import AnalysedWindow
from tests.detection import sounds
from tests.support.agent import BUNDLE


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(BUNDLE)


def _window(bundle: Bundle, says: str | None) -> AnalysedWindow:
    labels = [label.machine_id for label in bundle.manifest.labels]
    features = sounds.window(1)
    logits = np.zeros((len(features.embeddings), len(labels)), np.float32)
    if says is not None:
        logits[:, labels.index(says)] = 30.0
    made = type(features)(features.log_mel_db, features.embeddings, logits)
    return AnalysedWindow(0, 0, 160_000, 160_000, 0.0, 10.0, 1.0, made, None)


@pytest.fixture(scope="module")
def known(bundle: Bundle) -> str:
    return bundle.manifest.labels[0].machine_id


def test_a_configured_machine_keeps_its_windows_whatever_they_sound_like(bundle: Bundle, known: str) -> None:
    heard = Roster(bundle, {"mine": None}).listener("mine").hear(_window(bundle, known), 0)
    assert heard.machine_id == "mine"
    assert heard.identity is not None
    assert heard.identity.label == known


def test_a_routed_window_goes_to_the_machine_that_it_sounds_like(bundle: Bundle, known: str) -> None:
    heard = Roster(bundle, {known: None, "other": None}).router().hear(_window(bundle, known), 0)
    assert (heard.machine_id, heard.state) == (known, MachineState.UNCOMMISSIONED)


def test_a_machine_that_nobody_commissioned_is_named(bundle: Bundle, known: str) -> None:
    heard = Roster(bundle, {}).router().hear(_window(bundle, known), 0)
    assert (heard.machine_id, heard.state, heard.verdict) == (known, MachineState.UNCOMMISSIONED, None)


def test_a_sound_like_none_is_unknown(bundle: Bundle) -> None:
    heard = Roster(bundle, {}).router().hear(_window(bundle, None), 0)
    assert (heard.machine_id, heard.state) == ("unknown", MachineState.UNKNOWN)


def test_a_machine_that_is_not_on_the_roster(bundle: Bundle) -> None:
    with pytest.raises(KeyError):
        Roster(bundle, {}).listener("ghost")
