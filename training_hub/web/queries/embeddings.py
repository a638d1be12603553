"""Clips on a plane: near each other where the encoder hears them alike."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Bundle, Clip, Job, Machine
from training_hub.web.errors import WebError

FloatArray = NDArray[np.float32]

MOST = 10_000
UMAP_KIND = "embedding_map"
MOST_UMAP = 5_000


@dataclass(frozen=True, slots=True)
class BundleChoice:
    """A bundle by which clips were heard; embeddings of several cannot be compared."""

    sha256: str
    title: str
    clips: int

    @property
    def pair(self) -> tuple[str, str]:
        """As a field to choose from takes it."""
        return self.sha256, f"{self.title} ({self.clips:,} clips)"


@dataclass(frozen=True, eq=False)
class Embedded:
    """The latest clips with an embedding by one bundle, the latest first.

    Attributes:
        ids, machines, sites, types, labels, verdicts: One each.
        vectors: `[clips, size]`.
    """

    ids: list[str]
    machines: list[str]
    sites: list[str]
    types: list[str]
    labels: list[str | None]
    verdicts: list[str | None]
    vectors: FloatArray


def bundle_choices(session: Session) -> list[BundleChoice]:
    """Bundles that clips have embeddings of, the most used first."""
    names = {sha256: f"{name} {version}" for sha256, name, version in session.execute(
        select(Bundle.sha256, Bundle.name, Bundle.version)
    )}  # fmt: skip
    rows = session.execute(
        select(Clip.bundle_sha256, func.count())
        .where(Clip.embedding.is_not(None), Clip.deleted_at.is_(None), Clip.bundle_sha256.is_not(None))
        .group_by(Clip.bundle_sha256)
        .order_by(func.count().desc())
    )
    return [BundleChoice(sha or "", names.get(sha or "", (sha or "")[:10]), count) for sha, count in rows]


def on_map(bundle_sha256: str) -> tuple[ColumnElement[bool], ...]:
    """Which clips a map of a bundle is made of."""
    return Clip.bundle_sha256 == bundle_sha256, Clip.embedding.is_not(None), Clip.deleted_at.is_(None)


def embedded_clips(session: Session, bundle_sha256: str, most: int = MOST) -> Embedded:
    """The latest clips heard by a bundle; those whose embedding is broken or of another size are left out."""
    rows = session.execute(
        select(Clip.id, Clip.label, Clip.verdict, Clip.embedding, Machine.name, Machine.site, Machine.type)
        .join(Machine, Machine.id == Clip.machine_id)
        .where(*on_map(bundle_sha256))
        .order_by(Clip.heard_at.desc(), Clip.id.desc())
        .limit(most)
    ).all()
    size = len(rows[0].embedding or b"") if rows else 0
    good = [row for row in rows if row.embedding and len(row.embedding) == size and size % 2 == 0]
    vectors = np.frombuffer(b"".join(row.embedding or b"" for row in good), "<f2").reshape(len(good), -1)
    finite = np.isfinite(vectors).all(axis=1) if good else np.zeros(0, np.bool_)
    good = [row for row, usable in zip(good, finite.tolist(), strict=True) if usable]
    return Embedded(
        [row.id for row in good],
        [row.name for row in good],
        [row.site for row in good],
        [row.type for row in good],
        [row.label for row in good],
        [row.verdict for row in good],
        vectors[finite].astype(np.float32),
    )


def principal_plane(vectors: FloatArray) -> tuple[FloatArray, float]:
    """Where directions lie on their two principal components (K. Pearson, 1901).

    Args:
        vectors: `[n, size]`; only their directions count, as in the detectors.

    Returns:
        `[n, 2]`, and the share of the variance that the plane shows, 0 to 1.

    >>> plane, share = principal_plane(np.eye(3, 4, dtype=np.float32))
    >>> plane.shape, round(share, 3)
    ((3, 2), 1.0)
    """
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2), np.float32), 1.0
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    centred = units - units.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    top = axes[:, ::-1][:, :2]
    top = top * np.where(top[np.abs(top).argmax(axis=0), range(2)] < 0, -1.0, 1.0)  # the sign is arbitrary: fix it
    total = float(values.sum())
    plane: FloatArray = (centred @ top).astype(np.float32)
    return plane, float(values[-2:].sum() / total) if total > 0 else 1.0


def has_umap() -> bool:
    """Whether the extra that makes UMAPs is installed."""
    return importlib.util.find_spec("umap") is not None


def latest_umap(session: Session, bundle_sha256: str) -> Job | None:
    """The latest job that laid out this bundle's clips, whatever became of it."""
    jobs = session.scalars(select(Job).where(Job.kind == UMAP_KIND).order_by(Job.created_at.desc()).limit(50))
    return next((job for job in jobs if job.parameters.get("bundle") == bundle_sha256), None)


def plane_of(job: Job | None, embedded: Embedded) -> tuple[list[int], FloatArray]:
    """What a finished layout says of the clips: their places among `embedded`, and `[n, 2]`.

    Raises:
        WebError: There is no finished layout.
    """
    if job is None or job.state != "done" or not job.result:
        raise WebError("there is no finished UMAP of these clips; have one made", missing=True)
    found = dict(zip(job.result["ids"], job.result["plane"], strict=True))
    kept = [place for place, clip in enumerate(embedded.ids) if clip in found]
    return kept, np.array([found[embedded.ids[place]] for place in kept], np.float32).reshape(-1, 2)
