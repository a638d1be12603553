"""Lists of many clips are read from the end of an index, and a process is warm before its first list."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, text

from tests.support.hub import Hub
from training_hub.api import warm
from training_hub.api.warm import warm_up
from training_hub.catalogue.clip_filter import ClipFilter
from training_hub.catalogue.clip_listing import list_clips
from training_hub.catalogue.tables import Base


def test_pages_come_from_an_index_without_sorting(hub: Hub) -> None:
    """PostgreSQL sorts all clips at each page where the index begins with what must be null."""
    hub.fill(clips=1500)
    engine = hub.parts.database.engine
    sqlite = hub.backend == "sqlite"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))  # as PostgreSQL does by itself within a minute
    for sort, index in (("-heard_at", "heard"), ("heard_at", "heard"), ("-score", "score"), ("score", "score")):
        asked: list[tuple[str, Any]] = []

        def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:  # noqa: ANN401
            asked.append((statement, parameters))  # noqa: B023  # asked within the turn

        event.listen(engine, "before_cursor_execute", note)
        with hub.parts.database.transaction(writes=False) as session:
            page = list_clips(session, ClipFilter(), sort=sort)
        event.remove(engine, "before_cursor_execute", note)
        assert len(page.clips) == 50
        statement, parameters = next(one for one in asked if "FROM clips" in one[0])
        explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        with engine.connect() as connection:
            plan = "\n".join(str(row) for row in connection.exec_driver_sql(explain + statement, parameters))
        assert f"ix_clips_there_{index}" in plan, (sort, plan)
        assert "TEMP B-TREE" not in plan and "Sort" not in plan, (sort, plan)


def test_a_process_is_warm_before_it_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[ClipFilter] = []

    def noted(session: Any, wanted: ClipFilter) -> Any:  # noqa: ANN401
        listed.append(wanted)
        return list_clips(session, wanted)

    monkeypatch.setattr(warm, "list_clips", noted)
    with hub.anonymous() as client:
        assert client.get("/livez").status_code == 200
    assert listed and set(listed) == {ClipFilter()}


def test_a_hub_starts_without_its_tables(hub: Hub) -> None:
    Base.metadata.drop_all(hub.parts.database.engine)
    warm_up(hub.parts)
