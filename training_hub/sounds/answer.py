"""What is said of a sound that somebody brought."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from training_hub.sounds.decode import FileFacts


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class BundleId(_Answer):
    """Which models listened."""

    name: Annotated[str, Field(description="Name of the bundle.", examples=["default"])]
    version: Annotated[str, Field(description="Its version.", examples=["0.3.0"])]
    sha256: Annotated[str, Field(description="Of its manifest, which names every file's hash.")]


class CandidateMachine(_Answer):
    """One identity and the probability given to it."""

    label: Annotated[str, Field(description="Machine, as the bundle was trained on it.", examples=["pump_07"])]
    confidence: Annotated[float, Field(description="0 to 1.", examples=[0.81])]


class IdentityAnswer(_Answer):
    """What the sound is like, by the encoder."""

    label: Annotated[str, Field(description="The likeliest machine, or `unknown`.", examples=["pump_07"])]
    confidence: Annotated[float, Field(description="Of its type, 0 to 1.", examples=[0.93])]
    top: Annotated[tuple[CandidateMachine, ...], Field(description="The likeliest, best first.")]


class NearMachine(_Answer):
    """The catalogued machine whose sound is nearest."""

    site: Annotated[str, Field(examples=["plant_1"])]
    machine: Annotated[str, Field(examples=["pump_07"])]
    type: Annotated[str, Field(examples=["pump"])]
    clip: Annotated[str, Field(description="Its nearest clip.", examples=["01HF7YAT000000000000000000"])]
    distance: Annotated[float, Field(description="1 less the cosine of the embeddings: 0 the same.", examples=[0.04])]


class DetectorAnswer(_Answer):
    """One detector's part."""

    name: Annotated[str, Field(examples=["shape"])]
    score: Annotated[float, Field(description="Its own distance from normal.")]
    neg_log10_p: Annotated[float, Field(description="-log10 of the chance that a normal window scores higher.")]
    share: Annotated[float, Field(description="Its part of what speaks for a fault; the parts sum to 1.")]


class BandAnswer(_Answer):
    """One third octave's part."""

    centre_hz: Annotated[float, Field(examples=[3150.0])]
    contribution: Annotated[float, Field(description="Signed part of what speaks for a fault.")]
    change_db: Annotated[float, Field(description="Level against normal, both less the window's level.")]


class FindingAnswer(_Answer):
    """Something wrong with the recording."""

    code: Annotated[str, Field(examples=["clipped"])]
    blocking: Annotated[bool, Field(description="Whether the sound says nothing of the machine.")]
    message: str


class NearestNormalAnswer(_Answer):
    """The normal clip to listen to beside it."""

    clip: Annotated[str, Field(examples=["01HF7YAT000000000000000000"])]
    distance: Annotated[float, Field(description="1 less the cosine: 0 the same.")]


class Judgement(_Answer):
    """What the agent says of the window for the chosen machine."""

    verdict: Annotated[Literal["normal", "anomalous", "input_fault"], Field(examples=["anomalous"])]
    probability: Annotated[
        float, Field(ge=0, le=1, description="Share of the machine's normal windows that look less odd.")
    ]
    score: Annotated[float, Field(description="-log10 of the chance that a normal window looks as odd.")]
    threshold: Annotated[float, Field(description="A score at or above it is anomalous.")]
    percentile: Annotated[float, Field(ge=0, le=100, description="`probability` in percent.")]
    text: Annotated[str, Field(description="In plain words: what was heard, how unusual it is, what to check.")]
    detectors: tuple[DetectorAnswer, ...]
    bands: Annotated[tuple[BandAnswer, ...], Field(description="Third octaves, lowest first.")]
    input_health: tuple[FindingAnswer, ...]
    nearest_normal: NearestNormalAnswer
    normal_clips: Annotated[int, Field(description="How many clips the profile was fitted on.")]
    prior: Annotated[str, Field(description="Machine type whose prior was used.", examples=["generic"])]


class SoundAnswer(_Answer):
    """A tested sound."""

    file_name: Annotated[str, Field(description="As it was sent.", examples=["pump.wav"])]
    file_sha256: Annotated[str, Field(description="Of what was sent.")]
    file: FileFacts
    preparation: Annotated[
        tuple[str, ...],
        Field(description="What was done to it before it was judged.", examples=[["mean of 2 channels"]]),
    ]
    heard_s: Annotated[float, Field(description="Seconds of its own sound in the window.", examples=[10.0])]
    level_dbfs: Annotated[float | None, Field(description="Mean level; null for digital silence.", examples=[-31.2])]
    bundle: BundleId
    identity: Annotated[IdentityAnswer | None, Field(description="Null where too little was heard.")]
    nearest_machine: Annotated[NearMachine | None, Field(description="Null where no clip can be compared.")]
    machine: Annotated[str | None, Field(description="`site/machine` that was chosen.", examples=["plant_1/pump_07"])]
    judgement: Annotated[Judgement | None, Field(description="Null without a machine, or where it has no profile.")]
    why_not_judged: Annotated[str | None, Field(description="Why there is no judgement; null where there is one.")]
    spectrogram_png: Annotated[str, Field(description="PNG of the window's log-mel spectrogram, base64.")]
