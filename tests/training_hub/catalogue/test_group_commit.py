"""Writes of many threads in few commits, each whole or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from tests.support.hub import Hub
from training_hub.catalogue.group_commit import GroupCommit
from training_hub.catalogue.tables import User


def _add(name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    def write(session: Session) -> str:
        session.add(User(name=name, role="viewer"))
        session.flush()
        return name

    return write


def _names(hub: Hub) -> set[str]:
    with hub.parts.database.transaction(writes=False) as session:
        return set(session.scalars(select(User.name)))


def test_every_write_is_done_and_answered(hub: Hub) -> None:
    group = GroupCommit(hub.parts.database)
    names = [f"user_{number}" for number in range(50)]
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(lambda name: group.run(_add(name)), names)) == names
    assert _names(hub) == set(names)


def test_one_that_fails_undoes_itself_alone(hub: Hub) -> None:
    group = GroupCommit(hub.parts.database)

    def half(session: Session) -> None:
        _add("half")(session)
        _add("good_1")(session)

    with ThreadPoolExecutor(8) as pool:
        good = [pool.submit(group.run, _add(f"good_{number}")) for number in range(8)]
        for done in good:
            done.result()
        with pytest.raises(IntegrityError):
            group.run(half)
    assert _names(hub) == {f"good_{number}" for number in range(8)}


def test_those_that_wait_share_a_commit(hub: Hub) -> None:
    if hub.backend != "sqlite":
        pytest.skip("PostgreSQL groups commits itself")
    group = GroupCommit(hub.parts.database)
    commits: list[int] = []
    event.listen(hub.parts.database.engine, "commit", lambda _: commits.append(1))
    inside, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        inside.set()
        go_on.wait(30)

    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(group.run, slow)
        assert inside.wait(30)
        others = [pool.submit(group.run, _add(f"user_{number}")) for number in range(20)]
        while len(group._waiting) < 20:
            pass
        go_on.set()
        for done in (first, *others):
            done.result()
    assert len(commits) == 2
    assert len(_names(hub)) == 20


def test_one_that_fails_among_others_undoes_itself_alone(hub: Hub) -> None:
    group = GroupCommit(hub.parts.database)
    inside, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        inside.set()
        go_on.wait(30)

    def half(session: Session) -> None:
        _add("half")(session)
        raise ValueError("half done")

    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(group.run, slow)
        assert inside.wait(30)
        good = [pool.submit(group.run, _add(f"user_{number}")) for number in range(4)]
        bad = pool.submit(group.run, half)
        more = [pool.submit(group.run, _add(f"user_{number}")) for number in range(4, 8)]
        if hub.backend == "sqlite":
            while len(group._waiting) < 9:
                pass
        go_on.set()
        assert first.result() is None
        assert [done.result() for done in good + more] == [f"user_{number}" for number in range(8)]
        with pytest.raises(ValueError, match="half done"):
            bad.result()
    assert _names(hub) == {f"user_{number}" for number in range(8)}


def test_a_commit_that_fails_fails_all_of_it(hub: Hub) -> None:
    group = GroupCommit(hub.parts.database)

    def refuse(_: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    event.listen(hub.parts.database.engine, "commit", refuse)
    with pytest.raises(OperationalError):
        group.run(_add("lost"))
    event.remove(hub.parts.database.engine, "commit", refuse)
    assert _names(hub) == set()
    assert group.run(_add("after")) == "after"


def test_who_counts(hub: Hub) -> None:
    group = GroupCommit(hub.parts.database)
    group.run(_add("anna"))
    assert group.run(lambda session: session.scalar(select(func.count()).select_from(User))) == 1
