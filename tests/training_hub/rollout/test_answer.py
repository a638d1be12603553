"""What gateways are told, from their reports, in a real database with a real signed repository."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from edge_agent.clips.sidecar import BundleName
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.sync.wire import GatewayReport, MachineReport, ShadowReport, UpdatePhase, UpdateReport
from tests.support.update_hub import UpdateHub, custom_for
from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import AuditEntry, Base, Bundle, Gateway, Rollout, RolloutStep, StoredObject
from training_hub.rollout import orders
from training_hub.rollout.answer import Orders, take_report
from training_hub.rollout.errors import MissingError, RolloutError
from training_hub.rollout.limits import Limits

START = datetime(2026, 5, 1, tzinfo=UTC)
OLD = BundleName(name="default", version="0.9.0", sha256="0" * 64)
NEW = BundleName(name="default", version="1.0.0", sha256="ab" * 32)
LIMITS = Limits(shadow_windows=20, min_windows=10, healthy_reports=2, soak_minutes=5, percentages=(50,))
BUNDLE_ID = "01J00000000000000000000001"


@dataclass
class Fleet:
    """A hub with two gateways, one of them a canary, and a clock."""

    database: Database
    hub: UpdateHub
    now: datetime = START
    stamps: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))
    ids: UlidFactory = field(
        default_factory=lambda: UlidFactory(now_ms=itertools.count(1_000).__next__, randomness=bytes)
    )

    def order(self, why: str = "because") -> orders.Order:
        return orders.Order(by="user:anna", why=why, now=self.now)

    def begin(self, *, shadow_only: bool = False, limits: Limits = LIMITS) -> str:
        with self.database.transaction() as session:
            rollout = orders.begin(
                session, self.hub.repository, BUNDLE_ID, limits, self.order(), shadow_only=shadow_only, new_id=self.ids
            )
            return rollout.id

    def stage(self, rollout_id: str) -> tuple[str, int]:
        with self.database.transaction(writes=False) as session:
            rollout = session.get(Rollout, rollout_id)
            assert rollout is not None
            return rollout.stage, rollout.percentage

    def report(  # noqa: PLR0917  # which gateway runs what, and how it fares
        self,
        gateway_id: int,
        bundle: BundleName = OLD,
        update: UpdateReport | None = None,
        windows: int = 10,
        anomalous: int = 0,
        failed: int = 0,
    ) -> Orders:
        self.now += timedelta(minutes=1)
        machine = MachineReport(
            id="m", type="pump", windows=windows, anomalous=anomalous, failed=failed, mean_percentile=50.0
        )
        report = GatewayReport(
            site="plant",
            gateway=f"gw_{gateway_id}",
            agent_version="0.1.0",
            started_at="2026-05-01T00:00:00.000000Z",
            reported_at=f"2026-05-01T00:00:00.{next(self.stamps):06d}Z",
            clock_synced=True,
            bundle=bundle,
            machines=(machine,),
            update=update,
        )
        with self.database.transaction() as session:
            return take_report(session, self.hub.repository, gateway_id, report, self.now)

    def update(self, rollout: str, phase: UpdatePhase, shadow: ShadowReport | None = None) -> UpdateReport:
        return UpdateReport(rollout=rollout, bundle=NEW, phase=phase, shadow=shadow)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    Base.metadata.create_all(database.engine)
    hub = UpdateHub(tmp_path / "tuf")
    hub.approve(b"archive", custom_for())
    with database.transaction() as session:
        session.add(StoredObject(sha256="1" * 64, size_bytes=7, media_type="application/x-tar"))
        session.flush()
        session.add(
            Bundle(
                id=BUNDLE_ID,
                name=NEW.name,
                version=NEW.version,
                sha256=NEW.sha256,
                object_sha256="1" * 64,
                state="approved",
                created_by="user:anna",
            )
        )
        for number, ring in ((1, "canary"), (2, "main")):
            session.add(Gateway(id=number, site="plant", name=f"gw_{number}", ring=ring))
    yield Fleet(database, hub)
    database.close()


def test_a_rollout_from_shadow_to_done(fleet: Fleet) -> None:
    rollout = fleet.begin()
    first = fleet.report(1).assignment
    assert first is not None and (first.mode, first.target) == ("shadow", "default-1.0.0-abababababab.tar")
    assert fleet.report(2).assignment is None
    for _ in range(3):
        fleet.report(2)
    seen = ShadowReport(windows=20, errors=0, latency_ratio=1.1, percentile_shift=1.0)
    after = fleet.report(1, update=fleet.update(rollout, "shadow", seen)).assignment
    assert after is not None and after.mode == "active"
    for _ in range(10):
        assert fleet.report(1, NEW).assignment is None
    assert fleet.stage(rollout)[0] in ("percentage", "all", "done")
    while (told := fleet.report(2).assignment) is None:
        fleet.report(1, NEW)
        assert fleet.now < START + timedelta(hours=3)
    assert told.mode == "shadow"
    fleet.report(2, update=fleet.update(rollout, "shadow", seen))
    while fleet.stage(rollout)[0] != "done":
        fleet.report(1, NEW)
        fleet.report(2, NEW)
        assert fleet.now < START + timedelta(hours=3)
    with fleet.database.transaction(writes=False) as session:
        stages = session.scalars(select(RolloutStep.stage).order_by(RolloutStep.id)).all()
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert stages == ["canary", "50 %", "all", "done"]
    assert actions == ["rollout.canary", "rollout.percentage", "rollout.all", "rollout.done"]


def test_errors_on_the_canary_take_it_back(fleet: Fleet) -> None:
    rollout = fleet.begin(limits=LIMITS.model_copy(update={"shadow_windows": 0}))
    for _ in range(3):
        fleet.report(1)
    assert fleet.report(1, NEW, fleet.update(rollout, "active"), windows=5, failed=8).withdrawn == (rollout,)
    assert fleet.stage(rollout)[0] == "rolled_back"
    assert fleet.report(1, OLD, fleet.update(rollout, "rolled_back")).withdrawn == ()
    assert fleet.report(1, OLD).assignment is None


def test_a_bad_shadow_halts_it_and_nobody_gets_it(fleet: Fleet) -> None:
    rollout = fleet.begin()
    told = fleet.report(1, update=fleet.update(rollout, "shadow", ShadowReport(windows=20, errors=5)))
    assert (told.assignment, told.withdrawn) == (None, ())
    assert fleet.stage(rollout)[0] == "halted"


def test_a_person_halts_goes_on_and_takes_back(fleet: Fleet) -> None:
    rollout = fleet.begin(shadow_only=True)
    seen = ShadowReport(windows=50, errors=0)
    told = fleet.report(1, update=fleet.update(rollout, "shadow", seen)).assignment
    assert told is not None and told.mode == "shadow"
    with fleet.database.transaction() as session:
        orders.advance(session, rollout, fleet.order("the shadow looks well"))
    told = fleet.report(1, update=fleet.update(rollout, "shadow", seen)).assignment
    assert told is not None and told.mode == "active"
    fleet.report(1, NEW, fleet.update(rollout, "active"))
    with fleet.database.transaction() as session:
        orders.advance(session, rollout, fleet.order())
        orders.halt(session, rollout, fleet.order())
    assert fleet.report(1, NEW) == Orders(None, ())
    with fleet.database.transaction() as session, pytest.raises(RolloutError, match="goes no further"):
        orders.advance(session, rollout, fleet.order())
    with fleet.database.transaction() as session:
        orders.roll_back(session, rollout, fleet.order())
    assert fleet.report(1, NEW).withdrawn == (rollout,)
    with fleet.database.transaction() as session, pytest.raises(RolloutError, match="already"):
        orders.roll_back(session, rollout, fleet.order())


def test_only_one_rollout_at_a_time(fleet: Fleet) -> None:
    fleet.begin()
    with pytest.raises(RolloutError, match="under way"):
        fleet.begin()


def test_no_rollout_without_signature_canary_or_bundle(fleet: Fleet, tmp_path: Path) -> None:
    fleet.hub, signed = UpdateHub(tmp_path / "other"), fleet.hub
    with pytest.raises(RolloutError, match="publish approve"):
        fleet.begin()
    fleet.hub = signed
    with fleet.database.transaction() as session:
        gateway = session.get(Gateway, 1)
        assert gateway is not None
        gateway.ring = "main"
    with pytest.raises(RolloutError, match="ring 'canary'"):
        fleet.begin()
    with fleet.database.transaction() as session, pytest.raises(MissingError):
        orders.halt(session, "01J00000000000000000000009", fleet.order())


def test_a_gateway_that_was_away_gets_what_is_done(fleet: Fleet) -> None:
    rollout = fleet.begin()
    with fleet.database.transaction() as session:
        for _ in range(3):
            orders.advance(session, rollout, fleet.order())
    assert fleet.stage(rollout)[0] == "done"
    assert fleet.report(2).assignment is not None
    refused = fleet.report(2, update=fleet.update(rollout, "failed"))
    assert refused.assignment is None
