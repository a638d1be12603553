"""Machines, gateways, alarms, events and bundles, as the API shows them."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from edge_agent.sync.wire import API_PREFIX
from training_hub.api.views.clips import MachineName
from training_hub.api.words import View
from training_hub.catalogue.machine_overview import Balance, MachineLine
from training_hub.catalogue.tables import Alarm, Bundle, Event, Gateway, MachineDay


class BalanceView(View):
    """A machine's clips, counted."""

    clips: Annotated[int, Field(examples=[120])]
    normal: int
    anomalous: int
    unlabelled: int
    training: int
    validation: int
    external: int
    new: int
    last_heard_at: datetime | None

    @classmethod
    def of(cls, balance: Balance) -> "BalanceView":
        """Of the counts."""
        return cls.model_validate(balance)


class MachineView(MachineName):
    """A machine in a list."""

    id: Annotated[int, Field(examples=[7])]
    created_at: datetime
    balance: BalanceView
    open_alarms: Annotated[int, Field(description="Alarms that are not over.", examples=[0])]

    @classmethod
    def line(cls, line: MachineLine) -> "MachineView":
        """Of a row and its counts."""
        return cls(**machine_values(line))


def machine_values(line: MachineLine) -> dict[str, Any]:
    """The values of `MachineView`'s fields."""
    machine = line.machine
    return {
        "site": machine.site,
        "name": machine.name,
        "type": machine.type,
        "id": machine.id,
        "created_at": machine.created_at,
        "balance": BalanceView.of(line.balance),
        "open_alarms": line.open_alarms,
    }


class MachinesView(View):
    """Machines."""

    machines: list[MachineView]
    next: Annotated[int | None, Field(description="`after` of the next page; null on the last.")]


class DayView(View):
    """A machine's day."""

    day: date
    windows: Annotated[int, Field(description="Windows that were scored.", examples=[8640])]
    anomalous: Annotated[int, Field(description="Windows above the threshold.", examples=[3])]
    mean_percentile: Annotated[float | None, Field(description="Among the machine's normals.", examples=[52.1])]
    alarms: int
    health_index: Annotated[float | None, Field(description="1 well, 0 at the alarm limit.", examples=[0.93])]
    zone: Annotated[str | None, Field(description="A to D, from the machine's own baseline.", examples=["A"])]

    @classmethod
    def of(cls, day: MachineDay) -> "DayView":
        """Of a row."""
        mean = day.percentile_sum / day.percentile_windows if day.percentile_windows else None
        return cls(
            day=day.day,
            windows=day.windows,
            anomalous=day.anomalous,
            mean_percentile=mean,
            alarms=day.alarms,
            health_index=day.health_index,
            zone=day.zone,
        )


class AlarmView(View):
    """An alarm's last word."""

    id: Annotated[str, Field(examples=["01HF7YAT000000000000000000"])]
    site: Annotated[str, Field(examples=["plant_1"])]
    gateway: Annotated[str, Field(examples=["gw_3"])]
    machine: Annotated[str | None, Field(description="Null for a plant event.", examples=["pump_07"])]
    kind: Annotated[str, Field(examples=["machine"])]
    state: Annotated[str, Field(description="Of ANSI/ISA-18.2.", examples=["unacknowledged"])]
    severity: Annotated[str | None, Field(examples=["high"])]
    raised_at: datetime
    changed_at: datetime
    text: Annotated[str, Field(description="What was heard, and what to check.")]

    @classmethod
    def of(cls, alarm: Alarm, gateway: Gateway, machine: str | None) -> "AlarmView":
        """Of a row and whose it is."""
        return cls(
            id=alarm.id,
            site=gateway.site,
            gateway=gateway.name,
            machine=machine,
            kind=alarm.kind,
            state=alarm.state,
            severity=alarm.severity,
            raised_at=alarm.raised_at,
            changed_at=alarm.changed_at,
            text=alarm.text,
        )


class AlarmPageView(View):
    """A page of alarms, the newest first."""

    alarms: list[AlarmView]
    next: Annotated[str | None, Field(description="`after` of the next page; null on the last.")]


class MachineDetail(MachineView):
    """A machine over months."""

    days: Annotated[list[DayView], Field(description="In order.")]
    alarms: Annotated[list[AlarmView], Field(description="The last 50, the newest first.")]


class EventView(View):
    """An event, as it went to the broker or came by HTTP."""

    id: Annotated[str, Field(examples=["01HF7YAT000000000000000000"])]
    site: str
    gateway: str
    machine: str | None
    kind: Annotated[str, Field(examples=["result"])]
    occurred_at: datetime
    received_at: datetime
    via: Annotated[str, Field(description="How it came first.", examples=["mqtt"])]
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event, gateway: Gateway, machine: str | None) -> "EventView":
        """Of a row and whose it is."""
        return cls(
            id=event.id,
            site=gateway.site,
            gateway=gateway.name,
            machine=machine,
            kind=event.kind,
            occurred_at=event.occurred_at,
            received_at=event.received_at,
            via=event.via,
            data=event.data,
        )


class EventPageView(View):
    """A page of events, the newest first."""

    events: list[EventView]
    next: Annotated[str | None, Field(description="`after` of the next page; null on the last.")]


class GatewayFleetView(View):
    """A gateway, and what it last said of itself."""

    id: Annotated[int, Field(examples=[3])]
    site: Annotated[str, Field(examples=["plant_1"])]
    name: Annotated[str, Field(examples=["gw_3"])]
    ring: Annotated[str, Field(description="`canary` ones get a new bundle first.", examples=["main"])]
    disabled: bool
    machines: Annotated[int, Field(description="That it listens to.", examples=[4])]
    created_at: datetime
    last_seen_at: datetime | None
    report: Annotated[dict[str, Any] | None, Field(description="Its last report; null before the first.")]


class GatewaysView(View):
    """Gateways, by site and name."""

    gateways: list[GatewayFleetView]


class BundleView(View):
    """A bundle of models."""

    id: Annotated[str, Field(examples=["01HF7YAT000000000000000000"])]
    name: Annotated[str, Field(examples=["default"])]
    version: Annotated[str, Field(examples=["0.3.0"])]
    sha256: Annotated[str, Field(description="Of its manifest.")]
    state: Annotated[str, Field(description="`draft`, `refused`, `approved`, `retired`.", examples=["approved"])]
    in_use: Annotated[bool, Field(description="Whether gateways are meant to run it.")]
    run_id: Annotated[str | None, Field(description="The training it came out of.")]
    created_by: str
    created_at: datetime
    approved_by: str | None

    @classmethod
    def of(cls, bundle: Bundle, in_use: str | None) -> "BundleView":
        """Of a row; `in_use` is the id of the one that is."""
        return cls(**bundle_values(bundle, in_use))


def bundle_values(bundle: Bundle, in_use: str | None) -> dict[str, Any]:
    """The values of `BundleView`'s fields."""
    own = {name: getattr(bundle, name) for name in BundleView.model_fields if name != "in_use"}
    return {**own, "in_use": bundle.id == in_use}


class BundlePageView(View):
    """A page of bundles, the newest first."""

    bundles: list[BundleView]
    next: Annotated[str | None, Field(description="`after` of the next page; null on the last.")]


class BundleDetail(BundleView):
    """All of a bundle."""

    manifest: Annotated[dict[str, Any], Field(description="What its files are, what was measured.")]
    model_card: Annotated[str, Field(description="Markdown.")]
    download_url: Annotated[str, Field(description="Its archive, `.tar`.")]

    @classmethod
    def with_all(cls, bundle: Bundle, in_use: str | None, manifest: dict[str, Any], card: str) -> "BundleDetail":
        """Of a row and its files."""
        return cls(
            **bundle_values(bundle, in_use),
            manifest=manifest,
            model_card=card,
            download_url=f"{API_PREFIX}/bundles/{bundle.id}/archive",
        )
