"""What windows sound like to the encoder, whoever listens: identity, and likeness to the gateway's machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.detection.features import WindowFeatures, measure_units, stacked_units
from edge_agent.pipeline.identity import Identifier, Identity
from edge_agent.pipeline.match import Match, Matcher


@dataclass(frozen=True, slots=True, eq=False)
class Impression:
    """What one window sounds like.

    Attributes:
        identity: The encoder's word; None where no patch was whole.
        distances: From every commissioned machine that it can be compared with.
        match: The one that it is most alike to; None where none can be compared.
    """

    identity: Identity | None
    distances: Mapping[str, float]
    match: Match | None


def impressions_of(windows: Sequence[WindowFeatures], identifier: Identifier, matcher: Matcher) -> list[Impression]:
    """Of each window, what it sounds like."""
    measure_units(windows)
    distances: list[dict[str, float]] = [{} for _ in windows]
    for places, units in stacked_units(windows):
        for place, found in zip(places, matcher.distances_of_stack(units), strict=True):
            distances[place] = found
    identities = identifier.identify_all([(window.logits, window.unit_embeddings) for window in windows])
    return [Impression(identity, own, matcher.match(own)) for identity, own in zip(identities, distances, strict=True)]
