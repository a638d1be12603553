"""Exports are whole, typed, and do not act on who opens them."""

from __future__ import annotations

import csv
import io

import pyarrow.parquet as pq
import pytest

from tests.support.hub import Hub
from tests.support.hub_clips import add_clip, clip_id
from tests.support.hub_fleet import add_fleet, add_performance
from training_hub.catalogue.labelling import Deed, label_clips
from training_hub.catalogue.types import utc_now
from training_hub.exports import batches as batches_module
from training_hub.exports.tables import TABLES

_API = "/api/v1/exports"


@pytest.fixture
def filled(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(batches_module, "BATCH_ROWS", 3)  # so that each table takes several batches
    with hub.parts.database.transaction() as session:
        add_fleet(session)
        add_performance(session, "a" * 64)
        add_performance(session, "b" * 64)
        for number in range(7):
            add_clip(session, hub.parts.objects, number, score=number / 2 if number else None)
        deed = Deed("user:olga", utc_now())
        label_clips(session, [clip_id(n) for n in range(7)], '=cmd|"/c calc"!A1', deed, note="-2+3, \n@x")
    return hub


@pytest.mark.parametrize(
    ("table", "rows"), [("clips", 7), ("labels", 7), ("alarms", 2), ("machine-days", 40), ("performance", 4)]
)
def test_both_formats_hold_the_same_rows(table: str, rows: int, filled: Hub) -> None:
    client = filled.script("viewer")
    text = client.get(f"{_API}/{table}.csv")
    assert text.status_code == 200 and text.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(text.text)))
    parquet = pq.read_table(io.BytesIO(client.get(f"{_API}/{table}.parquet").content))
    assert len(lines) == parquet.num_rows == rows
    assert list(lines[0]) == parquet.column_names == TABLES[table]().schema.names
    key = parquet.column_names[0]
    assert [line[key] for line in lines] == [str(value) for value in parquet[key].to_pylist()]
    assert len({tuple(row.items()) for row in lines}) == rows


def test_a_spreadsheet_runs_nothing(filled: Hub) -> None:
    client = filled.script("viewer")
    for table in TABLES:
        for line in csv.reader(io.StringIO(client.get(f"{_API}/{table}.csv").text)):
            for cell in line:
                assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n")), (table, cell)
                assert not cell.startswith("-") or (cell[1].isdigit() and "," not in cell), (table, cell)
    labels = list(csv.DictReader(io.StringIO(client.get(f"{_API}/labels.csv").text)))
    assert labels[0]["label"] == """'=cmd|"/c calc"!A1""" and labels[0]["note"] == "'-2+3, \n@x"


def test_parquet_has_types_and_clips_are_filtered(filled: Hub) -> None:
    client = filled.script("viewer")
    table = pq.read_table(
        io.BytesIO(client.get(f"{_API}/clips.parquet?machine=pump_1&until=2026-01-01T00:03:00Z").content)
    )
    assert table.num_rows == 3 and table["score"].to_pylist() == [None, 0.5, 1.0]
    assert str(table.schema.field("heard_at").type) == "timestamp[us, tz=UTC]"
    assert client.get(f"{_API}/clips.csv?machine=nobody").text.count("\r\n") == 1
    assert pq.read_table(io.BytesIO(client.get(f"{_API}/clips.parquet?machine=nobody").content)).num_rows == 0
    assert client.get(f"{_API}/users.csv").status_code == 422
    assert filled.anonymous().get(f"{_API}/clips.csv").status_code == 401
