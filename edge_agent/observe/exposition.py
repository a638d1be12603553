"""The forms that metrics are told in, and which of them a scraper asked for."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_TYPE
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write metrics, and its media type."""

    content_type: str
    write: Callable[[CollectorRegistry], bytes]


TEXT: Final = Form("text/plain; version=0.0.4; charset=utf-8", generate_latest)
OPENMETRICS: Final = Form(OPENMETRICS_TYPE, generate_openmetrics)
_QUALITY: Final = re.compile(r"[01](\.\d{0,3})?")


def form_for(accept: str) -> Form:
    """OpenMetrics 1.0 where it is accepted as much as text, else Prometheus's text format 0.0.4.

    A scraper that accepts neither is given text, as by Prometheus's own libraries.

    Args:
        accept: The request's `Accept` header, whatever it holds.

    >>> [form_for(accept) is OPENMETRICS for accept in (
    ...     "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    ...     "application/openmetrics-text;q=0.1, text/plain", "application/openmetrics-text;q=0", "*/*", "", "x;;=,")]
    [True, False, False, False, False, False]
    """
    openmetrics = text = 0.0
    for kind, quality, parameters in _ranges(accept):
        if kind == "application/openmetrics-text" and parameters.get("version", "1.0.0") == "1.0.0":
            openmetrics = max(openmetrics, quality)
        elif kind in ("text/plain", "text/*", "*/*"):
            text = max(text, quality)
    return OPENMETRICS if openmetrics > 0 and openmetrics >= text else TEXT


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an `Accept-Encoding` header asks for gzip.

    >>> [takes_gzip(each) for each in ("gzip", "deflate, GZIP;q=0.5", "gzip;q=0", "*", "")]
    [True, True, False, False, False]
    """
    return any(kind == "gzip" and quality > 0 for kind, quality, _ in _ranges(accept_encoding))


def packed(body: bytes) -> bytes:
    """A body as gzip: a tenth of it, in a millisecond; for gateways behind a thin line."""
    packer = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def _ranges(header: str) -> Iterator[tuple[str, float, dict[str, str]]]:
    for item in header.split(","):
        kind, *rest = (part.strip() for part in item.split(";"))
        parameters = {
            name.strip().lower(): value.strip(' "') for name, _, value in (part.partition("=") for part in rest)
        }
        said = parameters.pop("q", "1")
        quality = float(said) if _QUALITY.fullmatch(said) else math.nan
        if quality <= 1:  # what is no number is no wish
            yield kind.lower(), quality, parameters
