"""Calibrating what a bundle says of identities: temperature, centres, and when to answer `unknown`."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.manifest import MANIFEST_NAME, Manifest, Measurement
from edge_agent.pipeline.identity import (
    IDENTITY_NAME,
    UNKNOWN,
    Identifier,
    IdentityCalibration,
    identifier_of,
    mean_direction,
)
from training_hub.training.bundle_writer import write_manifest, write_npz
from training_hub.training.dataset import held_out_patches
from training_hub.training.errors import TrainingError
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.recorded import load_recorded
from training_hub.training.recording import Recording
from training_hub.training.splits import held_out_groups

_TEMPERATURES = tuple(float(t) for t in np.geomspace(0.3, 3.0, 25))
_CONFIDENCES = tuple(float(c) for c in np.arange(0.2, 0.95, 0.05).round(2))
_COSINES = tuple(float(c) for c in np.arange(0.0, 0.95, 0.05).round(2))
_PREFIX = "identity, "
UNKNOWN_SHARE = 0.88


@dataclass(frozen=True, eq=False)
class HeardRecording:
    """What the encoder made of one recording: `logits` `[patches, labels]`, `embeddings` `[patches, size]`."""

    recording: Recording
    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True)
class Rates:
    """How identities are answered.

    Attributes:
        recall: Share of known machines' held-out recordings that got a label of their type.
        unknown: Share of what was never heard that got `unknown`.
        known_count, unknown_count: Recordings behind each.
    """

    recall: float
    unknown: float
    known_count: int
    unknown_count: int


def chooses(machine_id: str, group: str) -> bool:
    """Whether a group is among those that choose the limits; the others report. Hangs on the names alone."""
    return hashlib.sha256(f"identity/{machine_id}/{group}".encode()).digest()[0] % 2 == 0


def rates(identifier: Identifier, types: dict[str, str], heard: Sequence[HeardRecording]) -> Rates:
    """Measure; a recording of a machine that is no label must be answered `unknown`."""
    known: list[bool] = []
    unknown: list[bool] = []
    for item in heard:
        answer = identifier.identify(item.logits, item.embeddings)
        label = UNKNOWN if answer is None else answer.label
        if item.recording.machine_id in types:
            known.append(types.get(label) == item.recording.machine_type)
        else:
            unknown.append(label == UNKNOWN)
    if not known or not unknown:
        raise TrainingError(
            f"{len(known)} held-out recordings of known machines and {len(unknown)} of unknown ones; give recordings "
            "of both, from several groups"
        )
    return Rates(float(np.mean(known)), float(np.mean(unknown)), len(known), len(unknown))


def fit_temperature(logits: NDArray[np.float64], wanted: NDArray[np.int64]) -> float:
    """The temperature of the least negative log likelihood; `logits` `[n, labels]`, `wanted` `[n]`."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chosen = scaled[np.arange(len(wanted)), wanted]
        return float((np.log(np.exp(scaled).sum(axis=1)) - chosen).mean())

    return min(_TEMPERATURES, key=loss)


def fit(
    labels: Sequence[str],
    types: Sequence[str],
    learn: Sequence[HeardRecording],
    choose: Sequence[HeardRecording],
    unknown: float = UNKNOWN_SHARE,
) -> IdentityCalibration:
    """Centres from `learn`, temperature and limits from `choose`, which holds known machines and others.

    The limits answer `unknown` to at least the share `unknown` of what was never heard, and name the most of what was;
    of equals, the lower ones.

    Raises:
        TrainingError: Either lacks what is needed.
    """
    place = {label: k for k, label in enumerate(labels)}
    type_of = dict(zip(labels, types, strict=True))
    names = sorted({item.recording.machine_id for item in learn} & place.keys())
    known = [item for item in choose if item.recording.machine_id in place]
    if not names or not known:
        raise TrainingError(f"{len(names)} known machines to learn, {len(known)} held-out recordings; give more groups")
    centres = np.stack(
        [
            np.mean([mean_direction(i.embeddings) for i in learn if i.recording.machine_id == name], axis=0)
            for name in names
        ]
    ).astype(np.float32)
    owners = np.array([place[name] for name in names], np.int64)
    temperature = fit_temperature(
        np.stack([item.logits.mean(axis=0, dtype=np.float64) for item in known]),
        np.array([place[item.recording.machine_id] for item in known], np.int64),
    )

    def judged(limits: tuple[float, float]) -> Rates:
        candidate = IdentityCalibration(temperature, limits[0], centres, owners, limits[1])
        return rates(Identifier(tuple(labels), candidate, tuple(types)), type_of, choose)

    # known recordings are few and strangers many: the limits come from the strangers, the known only choose among them
    found = {limits: judged(limits) for limits in product(_CONFIDENCES, _COSINES)}
    strict = [limits for limits, rate in found.items() if rate.unknown >= unknown]
    if not strict:
        raise TrainingError(f"no limit answers `unknown` to {unknown:.0%} of what was never heard; ask for less")
    confidence, cosine = max(strict, key=lambda limits: (found[limits].recall, -limits[0], -limits[1]))
    return IdentityCalibration(temperature, confidence, centres, owners, cosine)


def calibrate_identity(bundle_dir: Path, data: Path, out: Path, cache: FeatureCache) -> tuple[Manifest, Rates, Rates]:
    """Write a copy of a bundle with `identity.npz`.

    Args:
        bundle_dir: The bundle to copy.
        data: Directory with a `manifest.csv`: known machines, other machines, background.
        out: The new bundle's directory; the same as `bundle_dir` to change it in place.
        cache: Where features are kept.

    Returns:
        The manifest, and the rates before and after on the groups that chose nothing.

    Raises:
        TrainingError: Too little data, or `out` is in use.
        BundleError: The bundle is damaged.
    """
    bundle = load_bundle(bundle_dir)
    if out.resolve() != bundle.root and out.exists() and any(out.iterdir()):
        raise TrainingError(f"{out}: exists and is not empty; give a new directory")
    labels = tuple(label.machine_id for label in bundle.manifest.labels)
    types = tuple(label.machine_type for label in bundle.manifest.labels)
    type_of = dict(zip(labels, types, strict=True))
    recordings = [r for r in load_recorded(data / "manifest.csv", cache, clean_only=False) if _counts(r, type_of)]
    held = held_out_groups(r for r in recordings if r.machine_id in type_of)
    heard = _hear(bundle, recordings)
    learn: list[HeardRecording] = []
    choose: list[HeardRecording] = []
    report: list[HeardRecording] = []
    for item in heard:
        key = (item.recording.machine_id, item.recording.group)
        if item.recording.machine_id in type_of and key not in held:
            learn.append(item)
        else:
            (choose if chooses(*key) else report).append(item)
    calibration = fit(labels, types, learn, choose)
    before = rates(identifier_of(bundle), type_of, report)
    after = rates(Identifier(labels, calibration, types), type_of, report)
    if out.resolve() != bundle.root:
        for name in bundle.manifest.file_names:
            target = out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(bundle.read(name))
        shutil.copyfile(bundle.root / MANIFEST_NAME, out / MANIFEST_NAME)
    write_npz(out / IDENTITY_NAME, calibration.to_arrays())
    results = tuple(r for r in bundle.manifest.results if not r.name.startswith(_PREFIX))
    manifest = bundle.manifest.model_copy(update={"results": (*results, *_results(before, after))})
    return write_manifest(out, manifest), before, after


def _counts(recording: Recording, types: dict[str, str]) -> bool:
    """Real anomalies of known machines neither teach nor test the identity."""
    return recording.machine_id not in types or recording.is_trainable


def _hear(bundle: Bundle, recordings: Sequence[Recording]) -> list[HeardRecording]:
    encoder, settings = bundle.encoder(), bundle.manifest.signal
    heard = []
    for recording in recordings:
        if len(recording.log_mel_db) >= settings.patch_frames:
            encoded = encoder.encode(held_out_patches(recording, settings))
            heard.append(HeardRecording(recording, encoded.logits, encoded.embeddings))
    return heard


def _results(before: Rates, after: Rates) -> tuple[Measurement, ...]:
    return tuple(
        measurement
        for word, found in (("before", before), ("after", after))
        for measurement in (
            Measurement(
                name=f"{_PREFIX}type recall, {word} calibration",
                value=round(found.recall, 4),
                on=f"{found.known_count} held-out recordings of groups that chose nothing",
            ),
            Measurement(
                name=f"{_PREFIX}unknown answered, {word} calibration",
                value=round(found.unknown, 4),
                on=f"{found.unknown_count} recordings of background and unseen machines that chose nothing",
            ),
        )
    )
