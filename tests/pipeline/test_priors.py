"""Priors of a bundle, and what they bind a profile to."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import DetectionError
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.manifest import parse_manifest
from edge_agent.pipeline.priors import type_prior
from tests.detection import sounds
from training_hub.training.bundle_writer import write_manifest

SHIPPED = Path(__file__).parents[2] / "models" / "default"


def _with_other_encoder(source: Path, target: Path) -> Path:
    """The same types around a model of other bytes; its self-test and hashes are made to fit."""
    shutil.copytree(source, target)
    model = target / "encoder.tflite"
    model.write_bytes(model.read_bytes() + b"\0" * 16)  # a flatbuffer reads from its root: what follows changes nothing
    path = target / "manifest.json"
    write_manifest(target, parse_manifest(path.read_bytes(), path=path))
    return target


def test_an_unknown_type_gets_the_generic_prior_under_its_own_name() -> None:
    assert type_prior(load_bundle(SHIPPED), "no_such_type").name == "generic"


def test_a_prior_is_the_same_for_the_same_bundle() -> None:
    digests = {type_prior(load_bundle(SHIPPED), "generic").digest for _ in range(2)}
    assert len(digests) == 1


def test_a_profile_is_refused_with_another_encoder(tmp_path: Path) -> None:
    ours = type_prior(load_bundle(SHIPPED), "generic")
    theirs = type_prior(load_bundle(_with_other_encoder(SHIPPED, tmp_path / "other")), "generic")
    assert np.array_equal(ours.of("shape").covariance, theirs.of("shape").covariance)  # type: ignore[arg-type]
    recordings = [sounds.recording(k) for k in range(6)]
    profile = commission("m", "fan", recordings, ours, bundle=None, budget=AlarmBudget(), created_ns=0)
    profile.check_prior(ours)
    with pytest.raises(DetectionError, match="commission the machine again"):
        profile.check_prior(theirs)
