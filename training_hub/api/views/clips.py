"""Clips, as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_agent.sync.wire import API_PREFIX
from training_hub.api.words import View
from training_hub.catalogue.tables import Clip, Label, Machine

Dataset = Literal["new", "training", "validation", "external"]


class MachineName(View):
    """Which machine."""

    site: Annotated[str, Field(description="Its plant.", examples=["plant_1"])]
    name: Annotated[str, Field(description="Its name there.", examples=["pump_07"])]
    type: Annotated[str, Field(description="What it is.", examples=["pump"])]

    @classmethod
    def of(cls, machine: Machine) -> "MachineName":
        """Of a row."""
        return cls(site=machine.site, name=machine.name, type=machine.type)


class ClipView(View):
    """A clip in a list."""

    id: Annotated[str, Field(description="Its id.", examples=["01HF7YAT000000000000000000"])]
    sha256: Annotated[str, Field(description="Of its file.")]
    machine: MachineName
    gateway: Annotated[str | None, Field(description="Who sent it; null for uploads.", examples=["gw_3"])]
    origin: Annotated[str, Field(description="`gateway`, `upload` or `import`.", examples=["gateway"])]
    dataset: Annotated[Dataset, Field(description="What it is used for.", examples=["new"])]
    original: Annotated[
        bool, Field(description="Original data, as imported; false: a new sound of a gateway or person.")
    ]
    kind: Annotated[str, Field(description="`audio` or `log_mel`.", examples=["audio"])]
    recording: Annotated[str, Field(description="What must not be split across training and test.")]
    heard_at: datetime
    received_at: datetime
    duration_s: Annotated[float, Field(examples=[10.0])]
    window_offset_s: Annotated[float, Field(description="Where the judged window begins in it.", examples=[0.0])]
    window_s: Annotated[float, Field(examples=[10.0])]
    reason: Annotated[str, Field(description="Why it was kept.", examples=["alarm"])]
    alarm: Annotated[str | None, Field(description="The alarm it belongs to.")]
    verdict: Annotated[str | None, Field(description="The agent's state then.", examples=["suspect"])]
    score: Annotated[float | None, Field(description="-log10 of the chance that a normal window is as odd.")]
    threshold: float | None
    percentile: Annotated[float | None, Field(description="Among the machine's own normals.")]
    level_dbfs: float | None
    bundle_sha256: Annotated[str | None, Field(description="The models that judged or heard it.")]
    may_train: Annotated[bool, Field(description="Nothing lost, nothing masked.")]
    label: Annotated[str | None, Field(description="A person's last word.", examples=["normal"])]
    anomalous: Annotated[bool | None, Field(description="What the label says; null without one.")]
    labelled_by: Annotated[str | None, Field(examples=["user:olga"])]
    labelled_at: datetime | None
    deleted_at: datetime | None
    audio_url: Annotated[str | None, Field(description="FLAC, or WAV with ?format=wav; null where no audio is kept.")]
    spectrogram_url: Annotated[str, Field(description="PNG.")]

    @classmethod
    def of(cls, clip: Clip) -> "ClipView":
        """Of a row with its machine."""
        return cls(**clip_values(clip))


def clip_values(clip: Clip) -> dict[str, Any]:
    """The values of `ClipView`'s fields."""
    here = f"{API_PREFIX}/clips/{clip.id}"
    own = ("machine", "gateway", "audio_url", "spectrogram_url")
    return {
        **{name: getattr(clip, name) for name in ClipView.model_fields if name not in own},
        "machine": MachineName.of(clip.machine),
        "gateway": clip.gateway.name if clip.gateway is not None else None,
        "audio_url": f"{here}/audio" if clip.kind == "audio" else None,
        "spectrogram_url": f"{here}/spectrogram.png",
    }


class ClipPageView(View):
    """A page of clips."""

    clips: list[ClipView]
    total: Annotated[int | None, Field(description="All that match; only where `count=true`.", examples=[1021])]
    next: Annotated[str | None, Field(description="`after` of the next page; null on the last.")]


class LabelView(View):
    """A label that was once given."""

    label: Annotated[str, Field(examples=["bearing"])]
    anomalous: bool
    by: Annotated[str, Field(examples=["user:olga"])]
    at: datetime
    note: str | None


class NearView(View):
    """A clip that sounds alike."""

    clip: Annotated[str, Field(examples=["01HF7YAT000000000000000000"])]
    machine: MachineName
    distance: Annotated[float, Field(description="0 the same, 1 unrelated.", examples=[0.03])]
    by: Annotated[
        Literal["embedding", "spectrum"],
        Field(description="Told by the encoder, or by the level-removed spectrum where a clip has no embedding."),
    ]


class ClipDetail(ClipView):
    """All that is known of a clip."""

    size_bytes: int
    media_type: Annotated[str, Field(examples=["audio/flac"])]
    labels: Annotated[list[LabelView], Field(description="Every label it was ever given, the last first.")]
    nearest_normal: Annotated[NearView | None, Field(description="The machine's normal clip to hear beside it.")]
    sidecar: Annotated[dict[str, Any] | None, Field(description="As the gateway sent it, or what the upload was.")]

    @classmethod
    def with_all(
        cls, clip: Clip, *, size_bytes: int, media_type: str, labels: Sequence[Label], nearest: NearView | None
    ) -> "ClipDetail":
        """Of a row and what belongs to it."""
        return cls(
            **clip_values(clip),
            size_bytes=size_bytes,
            media_type=media_type,
            labels=[LabelView.model_validate(label) for label in labels],
            nearest_normal=nearest,
            sidecar=clip.sidecar,
        )


class CountView(View):
    """How many clips have a value."""

    value: Annotated[str | None, Field(description="Null: those without one.", examples=["training"])]
    clips: Annotated[int, Field(examples=[843])]


class CountsView(View):
    """Clips counted by one thing."""

    by: Annotated[str, Field(examples=["dataset"])]
    total: int
    counts: list[CountView]


class ChangedView(View):
    """Clips as they are now."""

    clips: list[ClipView]

    @classmethod
    def of(cls, clips: Sequence[Clip]) -> "ChangedView":
        """Of rows."""
        return cls(clips=[ClipView.of(clip) for clip in clips])


class PurgedView(View):
    """What is gone for ever."""

    purged: Annotated[int, Field(description="How many; ask again until it is 0.", examples=[12])]
