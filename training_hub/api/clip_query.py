"""The filters of clips, as query parameters: of lists, counts and exports alike."""

from typing import Annotated, Literal

from fastapi import Depends, Query

from edge_agent.delivery.fields import Ulid
from training_hub.api.words import Id, ShortText, Since, Until
from training_hub.catalogue.clip_filter import ClipFilter

Filtered = Literal["new", "training", "validation", "external"]
_MEANS = {"no": False, "yes": True, "both": None}


def _clip_filter(
    *,
    dataset: Annotated[Filtered | None, Query(description="What it is used for.")] = None,
    machine: Annotated[Id | None, Query(description="The machine's name.")] = None,
    type: Annotated[Id | None, Query(description="The machine's type.")] = None,
    site: Annotated[Id | None, Query(description="The plant.")] = None,
    gateway: Annotated[Id | None, Query(description="Who sent it.")] = None,
    verdict: Annotated[Id | None, Query(description="The agent's state then.", examples=["suspect"])] = None,
    reason: Annotated[Id | None, Query(description="Why it was kept.", examples=["alarm"])] = None,
    kind: Annotated[Literal["audio", "log_mel"] | None, Query(description="What its file holds.")] = None,
    origin: Annotated[Literal["gateway", "upload", "import"] | None, Query(description="Where it came from.")] = None,
    label: Annotated[ShortText | None, Query(description="The very label.", examples=["bearing"])] = None,
    labelled: Annotated[bool | None, Query(description="Whether a person labelled it.")] = None,
    anomalous: Annotated[bool | None, Query(description="What the label says.")] = None,
    alarm: Annotated[Ulid | None, Query(description="The alarm it belongs to.")] = None,
    recording: Annotated[ShortText | None, Query(description="The recording it was cut from.")] = None,
    original: Annotated[
        bool | None, Query(description="Original data, as imported; false: new sounds of gateways and people.")
    ] = None,
    since: Since = None,
    until: Until = None,
    text: Annotated[ShortText | None, Query(description="In machine, type, label, recording or id.")] = None,
    deleted: Annotated[Literal["no", "yes", "both"], Query(description="Whether deleted clips count.")] = "no",
) -> ClipFilter:
    return ClipFilter(
        dataset=dataset,
        machine=machine,
        type=type,
        site=site,
        gateway=gateway,
        verdict=verdict,
        reason=reason,
        kind=kind,
        origin=origin,
        label=label,
        labelled=labelled,
        anomalous=anomalous,
        alarm=alarm,
        recording=recording,
        original=original,
        since=since,
        until=until,
        text=text,
        deleted=_MEANS[deleted],
    )


WantedClips = Annotated[ClipFilter, Depends(_clip_filter)]
