"""Gateways as they last reported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import ApiKey, Gateway, Machine

LATE_S, SILENT_S = 300.0, 3600.0


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway and what it last said.

    Attributes:
        gateway: Its row.
        report: Its last report; empty where it never sent one.
        silent_s: Since it was last seen; None for never.
        machines: How many it hears.
        keys: First letters of its keys that are valid.
    """

    gateway: Gateway
    report: dict[str, Any]
    silent_s: float | None
    machines: list[str]
    keys: list[str]

    @property
    def health(self) -> str:
        """`up`, `late`, `down`, `never`, or `disabled`."""
        if self.gateway.disabled:
            return "disabled"
        if self.silent_s is None:
            return "never"
        return "up" if self.silent_s < LATE_S else "late" if self.silent_s < SILENT_S else "down"


def list_gateways(session: Session, now: datetime) -> list[GatewayRow]:
    """All gateways, those that were not heard of for longest first."""
    heard: dict[int, list[str]] = {}
    for gateway_id, name in session.execute(select(Machine.gateway_id, Machine.name).order_by(Machine.name)):
        if gateway_id is not None:
            heard.setdefault(gateway_id, []).append(name)
    keys: dict[int, list[str]] = {}
    valid = select(ApiKey.gateway_id, ApiKey.prefix).where(ApiKey.revoked_at.is_(None), ApiKey.gateway_id.is_not(None))
    for gateway_id, prefix in session.execute(valid.order_by(ApiKey.id)):
        if gateway_id is not None:
            keys.setdefault(gateway_id, []).append(prefix)
    rows = []
    for gateway in session.scalars(select(Gateway)):
        seen = gateway.last_seen_at
        silent = None if seen is None else max(0.0, (now - seen).total_seconds())
        rows.append(
            GatewayRow(gateway, gateway.report or {}, silent, heard.get(gateway.id, []), keys.get(gateway.id, []))
        )
    return sorted(
        rows, key=lambda row: (row.gateway.disabled, -(row.silent_s or 1e12), row.gateway.site, row.gateway.name)
    )
