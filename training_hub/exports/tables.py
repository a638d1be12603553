"""The tables that are exported, with flat columns that dashboards join by name."""

from collections.abc import Callable

import pyarrow as pa
from sqlalchemy import func, select

from training_hub.catalogue.clip_filter import ClipFilter
from training_hub.catalogue.tables import Alarm, Clip, Gateway, Label, Machine, MachineDay, Performance
from training_hub.exports.batches import Export

_TEXT, _REAL, _COUNT, _FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")

_CLIP_COLUMNS: dict[str, pa.DataType] = {
    "id": _TEXT,
    "sha256": _TEXT,
    "origin": _TEXT,
    "dataset": _TEXT,
    "original": _FLAG,
    "kind": _TEXT,
    "recording": _TEXT,
    "heard_at": _TIME,
    "received_at": _TIME,
    "duration_s": _REAL,
    "reason": _TEXT,
    "alarm": _TEXT,
    "verdict": _TEXT,
    "score": _REAL,
    "threshold": _REAL,
    "percentile": _REAL,
    "level_dbfs": _REAL,
    "bundle_sha256": _TEXT,
    "may_train": _FLAG,
    "label": _TEXT,
    "anomalous": _FLAG,
    "labelled_by": _TEXT,
    "labelled_at": _TIME,
    "deleted_at": _TIME,
}
_MACHINE_COLUMNS: dict[str, pa.DataType] = {"site": _TEXT, "machine": _TEXT, "machine_type": _TEXT}
_MACHINE = (Machine.site, Machine.name, Machine.type)


def clips(wanted: ClipFilter | None = None) -> Export:
    """Clips, each with its machine and gateway."""
    columns = [getattr(Clip, name) for name in _CLIP_COLUMNS]
    query = (
        select(*columns, *_MACHINE, Gateway.name)
        .join(Machine, Clip.machine_id == Machine.id)
        .join(Gateway, Clip.gateway_id == Gateway.id, isouter=True)
        .where(*(wanted or ClipFilter()).conditions())
    )
    schema = _schema({**_CLIP_COLUMNS, **_MACHINE_COLUMNS, "gateway": _TEXT})
    return Export("clips", schema, query, (Clip.id,), (0,))


def labels() -> Export:
    """Every label ever given, with its clip's machine."""
    columns = {
        "id": _COUNT,
        "clip_id": _TEXT,
        "label": _TEXT,
        "anomalous": _FLAG,
        "by": _TEXT,
        "at": _TIME,
        "note": _TEXT,
    }
    query = (
        select(*(getattr(Label, name) for name in columns), *_MACHINE)
        .join(Clip, Label.clip_id == Clip.id)
        .join(Machine, Clip.machine_id == Machine.id)
    )
    return Export("labels", _schema({**columns, **_MACHINE_COLUMNS}), query, (Label.id,), (0,))


def alarms() -> Export:
    """Alarms, each with its gateway and machine."""
    columns = {"id": _TEXT, "kind": _TEXT, "state": _TEXT, "severity": _TEXT, "raised_at": _TIME, "changed_at": _TIME,
               "text": _TEXT}  # fmt: skip
    query = (
        select(*(getattr(Alarm, name) for name in columns), Gateway.site, Gateway.name, Machine.name, Machine.type)
        .join(Gateway, Alarm.gateway_id == Gateway.id)
        .join(Machine, Alarm.machine_id == Machine.id, isouter=True)
    )
    schema = _schema({**columns, "site": _TEXT, "gateway": _TEXT, "machine": _TEXT, "machine_type": _TEXT})
    return Export("alarms", schema, query, (Alarm.id,), (0,))


def machine_days() -> Export:
    """Every machine's days."""
    counted = {"windows": _COUNT, "anomalous": _COUNT, "alarms": _COUNT, "health_index": _REAL, "zone": _TEXT}
    mean = MachineDay.percentile_sum / func.nullif(MachineDay.percentile_windows, 0)
    query = select(
        MachineDay.machine_id, MachineDay.day, *(getattr(MachineDay, name) for name in counted), mean, *_MACHINE
    ).join(Machine, MachineDay.machine_id == Machine.id)
    schema = _schema(
        {"machine_id": _COUNT, "day": pa.date32(), **counted, "mean_percentile": _REAL, **_MACHINE_COLUMNS}
    )
    return Export("machine-days", schema, query, (MachineDay.machine_id, MachineDay.day), (0, 1))


def performance() -> Export:
    """Every bundle's figures on every machine, without the scores."""
    columns = {
        "machine_id": _COUNT,
        "bundle_sha256": _TEXT,
        "dataset_digest": _TEXT,
        "normals": _COUNT,
        "anomalies": _COUNT,
        "auc": _REAL,
        "pauc": _REAL,
        "false_alarms": _REAL,
        "measured_at": _TIME,
    }
    query = select(*(getattr(Performance, name) for name in columns), *_MACHINE).join(
        Machine, Performance.machine_id == Machine.id
    )
    key = (Performance.machine_id, Performance.bundle_sha256, Performance.dataset_digest)
    return Export("performance", _schema({**columns, **_MACHINE_COLUMNS}), query, key, (0, 1, 2))


TABLES: dict[str, Callable[[], Export]] = {
    "clips": clips,
    "labels": labels,
    "alarms": alarms,
    "machine-days": machine_days,
    "performance": performance,
}


def _schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(columns.items()))
