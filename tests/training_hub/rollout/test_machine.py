"""The stages of a rollout: a named table of what moves and what stops it, and properties of any history."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.sync.wire import BundleName, GatewayReport, MachineReport, ShadowReport, UpdateReport
from training_hub.rollout.limits import Limits
from training_hub.rollout.machine import UNDER_WAY, Member, RolloutState, Stage, bucket, covered, decide, following
from training_hub.rollout.progress import Progress, Tally

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ROLLOUT = "01J00000000000000000000000"
OLD, NEW = "aa" * 32, "bb" * 32
LIMITS = Limits(soak_minutes=10, healthy_reports=2, min_windows=10, shadow_windows=20)
BEFORE = Tally(windows=100, anomalous=1, percentile_sum=5000, percentile_windows=100)
GOOD = Progress(phase="active", healthy=2, before=BEFORE, reported_at=NOW, since=BEFORE)


def member(name: str, progress: Progress = GOOD, *, canary: bool = False) -> Member:
    return Member("plant", name, canary, progress)


def state(*members: Member, stage: Stage = Stage.CANARY, percentage: int = 0, **changes: object) -> RolloutState:
    values: dict[str, object] = {"shadow_only": False, "entered_at": NOW - timedelta(minutes=11), "limits": LIMITS}
    return RolloutState(id=ROLLOUT, stage=stage, percentage=percentage, members=members, **(values | changes))  # type: ignore[arg-type]


def running(**since: float) -> Progress:
    values = {"windows": 100.0, "anomalous": 1.0, "percentile_sum": 5000.0, "percentile_windows": 100.0, **since}
    return GOOD.model_copy(update={"since": Tally(**values)})


def shadowing(**shadow: object) -> Progress:
    told = ShadowReport(**({"windows": 20, "errors": 0} | shadow))  # type: ignore[arg-type]
    return Progress(phase="shadow", shadow=told, reported_at=NOW)


def test_it_goes_from_the_canaries_through_the_shares_to_all() -> None:
    canary = member("c", canary=True)
    stages = [state(canary)]
    while (step := decide(stages[-1], NOW)) is not None:
        stages.append(state(canary, stage=step.stage, percentage=step.percentage))
    assert [(each.stage, each.percentage) for each in stages] == [
        (Stage.CANARY, 0),
        (Stage.PERCENTAGE, 10),
        (Stage.PERCENTAGE, 50),
        (Stage.ALL, 100),
        (Stage.DONE, 100),
    ]


WAITING = {
    "soaking": state(member("c", canary=True), entered_at=NOW - timedelta(minutes=9)),
    "by hand": state(member("c", canary=True), limits=LIMITS.model_copy(update={"automatic": False})),
    "shadow only": state(member("c", canary=True), shadow_only=True),
    "no canary": state(member("g")),
    "canary has not reported well enough": state(member("c", GOOD.model_copy(update={"healthy": 1}), canary=True)),
    "canary is silent": state(member("c", Progress(), canary=True)),
    "one of two canaries": state(member("c", canary=True), member("d", Progress(phase="shadow"), canary=True)),
    "a gateway still downloads": state(
        member("c", canary=True), member("g", Progress(phase="downloading", reported_at=NOW)), stage=Stage.ALL
    ),
}


@pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING.keys())
def test_it_waits(waiting: RolloutState) -> None:
    assert decide(waiting, NOW) is None


def test_a_silent_gateway_holds_nobody_up() -> None:
    silent = member("g", Progress(phase="assigned", reported_at=NOW - timedelta(days=1)))
    step = decide(state(member("c", canary=True), silent, stage=Stage.ALL), NOW)
    assert step is not None and step.stage is Stage.DONE


def computing(*, before_s: float, since_s: float) -> Progress:
    """A gateway that runs it well, and tells what a window takes."""
    told = {"before": before_s, "since": since_s}
    tallies = {name: getattr(GOOD, name) for name in told}
    timed = {
        name: {"computing_s": told[name] * tally.windows, "computing_windows": tally.windows}
        for name, tally in tallies.items()
    }
    return GOOD.model_copy(update={name: tally.model_copy(update=timed[name]) for name, tally in tallies.items()})


ROLLS_BACK = {
    "errors": running(failed=5.0),
    "exceedance": running(anomalous=20.0),
    "scores up": running(percentile_sum=8000.0),
    "scores down": running(percentile_sum=2000.0),
    "latency": GOOD.model_copy(update={"latency_s": 0.9, "latency_before_s": 0.3}),
    "computing": computing(before_s=0.01, since_s=0.05),
}


@pytest.mark.parametrize("progress", ROLLS_BACK.values(), ids=ROLLS_BACK.keys())
@pytest.mark.parametrize("stage", UNDER_WAY)
def test_a_gateway_that_runs_it_badly_takes_it_back_everywhere(progress: Progress, stage: Stage) -> None:
    step = decide(state(member("c", canary=True), member("g", progress), stage=stage), NOW)
    assert step is not None and step.stage is Stage.ROLLED_BACK and "plant/g" in step.why


HALTS = {
    "errors": shadowing(errors=2),
    "latency": shadowing(latency_ratio=3.0),
    "exceedance": shadowing(exceedance_new=0.4, exceedance_old=0.01),
    "scores": shadowing(percentile_shift=-30.0),
}


@pytest.mark.parametrize("progress", HALTS.values(), ids=HALTS.keys())
def test_a_bad_shadow_halts(progress: Progress) -> None:
    step = decide(state(member("c", progress, canary=True)), NOW)
    assert step is not None and step.stage is Stage.HALTED and "in the shadow" in step.why
    assert not progress.compared(LIMITS)


def test_a_good_shadow_lets_the_gateway_take_over() -> None:
    assert shadowing(windows=20, latency_ratio=1.1, percentile_shift=3.0).compared(LIMITS)
    assert not shadowing(windows=19).compared(LIMITS)


NOT_JUDGED = {
    "few windows": running(windows=3.0, failed=3.0, percentile_sum=0.0, percentile_windows=0.0),
    "quick all the same": GOOD.model_copy(update={"latency_s": 0.2, "latency_before_s": 0.001}),
    "a little more computing": computing(before_s=0.01, since_s=0.015),
    "computing never told before": computing(before_s=0.0, since_s=5.0),
    "nothing to compare with": running(anomalous=90.0).model_copy(update={"before": Tally()}),
}


@pytest.mark.parametrize("progress", NOT_JUDGED.values(), ids=NOT_JUDGED.keys())
def test_what_is_no_ground_stops_nothing(progress: Progress) -> None:
    assert progress.objection(LIMITS) is None


def test_gateways_that_refuse_it_halt_it() -> None:
    refused = Progress(phase="failed", why="machine pump_1: no normals", reported_at=NOW)
    canary = decide(state(member("c", refused, canary=True)), NOW)
    assert canary is not None and canary.stage is Stage.HALTED and "no normals" in canary.why
    one = state(member("c", canary=True), member("g", refused), stage=Stage.ALL)
    two = state(member("c", canary=True), member("g", refused), member("h", refused), stage=Stage.ALL)
    first, second = decide(one, NOW), decide(two, NOW)
    assert first is not None and first.stage is Stage.DONE
    assert second is not None and second.stage is Stage.HALTED


def report(**changes: object) -> GatewayReport:
    values: dict[str, object] = {
        "site": "plant",
        "gateway": "g",
        "agent_version": "0.1.0",
        "started_at": "2026-05-01T00:00:00.000000Z",
        "reported_at": "2026-05-01T01:00:00.000000Z",
        "clock_synced": True,
        "bundle": BundleName(name="default", version="1.0.0", sha256=NEW),
        "window_latency_s": 0.1,
        "machines": (MachineReport(id="m", type="pump", windows=12, anomalous=0, failed=0, mean_percentile=50.0),),
    }
    return GatewayReport(**(values | changes))  # type: ignore[arg-type]


def test_reports_add_up_and_count_once() -> None:
    bundle = BundleName(name="default", version="0.9.0", sha256=OLD)
    before = Progress().told(report(bundle=bundle), ROLLOUT, NEW, LIMITS, NOW)
    assert (before.phase, before.before.windows, before.healthy) == ("assigned", 12, 0)
    after = before.told(report(reported_at="2026-05-01T01:01:00.000000Z"), ROLLOUT, NEW, LIMITS, NOW)
    assert (after.phase, after.since.windows, after.healthy) == ("active", 12, 1)
    assert after.told(report(reported_at="2026-05-01T01:01:00.000000Z"), ROLLOUT, NEW, LIMITS, NOW) == after
    back = after.told(report(bundle=bundle, reported_at="2026-05-01T01:02:00.000000Z"), ROLLOUT, NEW, LIMITS, NOW)
    assert (back.phase, back.healthy) == ("rolled_back", 0)


def test_computing_is_the_mean_over_the_windows_of_all_reports() -> None:
    times = ((12, 0.01), (36, 0.03), (12, None))
    tally = Tally()
    for windows, seconds in times:
        machine = MachineReport(id="m", type="pump", windows=windows, anomalous=0, failed=0, mean_percentile=50.0)
        tally = tally.plus(report(machines=(machine,), window_computing_s=seconds))
    assert tally.window_computing_s == pytest.approx(0.025)
    assert Tally().window_computing_s is None


def test_what_is_seen_is_of_the_shadow_until_it_is_in_use() -> None:
    assert Progress().seen is None
    beside = shadowing(windows=20, errors=1, latency_ratio=1.1, percentile_shift=3.0)
    shadow = beside.seen
    assert shadow is not None
    assert (shadow.windows, shadow.failed, shadow.computing_ratio, shadow.percentile_shift) == (20, 1, 1.1, 3.0)
    running = computing(before_s=0.01, since_s=0.03).model_copy(update={"shadow": beside.shadow})
    use = running.seen
    assert use is not None
    assert use.windows == round(running.since.windows)
    assert use.computing_ratio == pytest.approx(3.0)
    assert use.exceedance_before == running.before.exceedance


def test_what_a_gateway_says_of_another_rollout_is_not_of_this_one() -> None:
    update = UpdateReport(
        rollout="01J00000000000000000000001",
        bundle=BundleName(name="default", version="1.0.0", sha256=NEW),
        phase="failed",
    )
    assert Progress().told(report(update=update), ROLLOUT, NEW, LIMITS, NOW).phase == "active"


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.integers(0, 100), min_size=2, max_size=4))
def test_whom_a_share_reached_stays_reached(site: str, name: str, shares: list[int]) -> None:
    reached = [
        covered(state(stage=Stage.PERCENTAGE, percentage=share), Member(site, name, False, Progress()))
        for share in sorted(shares)
    ]
    assert reached == sorted(reached)
    assert covered(state(stage=Stage.ALL), Member(site, name, False, Progress()))


def test_a_share_is_about_that_share() -> None:
    below = sum(bucket(ROLLOUT, "plant", f"gw_{i}") < 30 for i in range(2000))
    assert 500 < below < 700


tallies = st.builds(
    Tally,
    windows=st.floats(0, 1e4),
    failed=st.floats(0, 1e4),
    anomalous=st.floats(0, 1e4),
    percentile_sum=st.floats(0, 1e6),
    percentile_windows=st.floats(0, 1e4),
    computing_s=st.floats(0, 1e4),
    computing_windows=st.floats(0, 1e4),
)
progresses = st.builds(
    Progress,
    phase=st.sampled_from(
        ["assigned", "downloading", "verified", "shadow", "refitting", "active", "failed", "rolled_back"]
    ),
    healthy=st.integers(0, 5),
    before=tallies,
    since=tallies,
    latency_s=st.none() | st.floats(0, 10),
    latency_before_s=st.none() | st.floats(0, 10),
    reported_at=st.none() | st.just(NOW) | st.just(NOW - timedelta(days=2)),
    shadow=st.none()
    | st.builds(
        ShadowReport,
        windows=st.integers(0, 1000),
        errors=st.integers(0, 1000),
        latency_ratio=st.none() | st.floats(0, 10),
        exceedance_new=st.none() | st.floats(0, 1),
        exceedance_old=st.none() | st.floats(0, 1),
        percentile_shift=st.none() | st.floats(-100, 100),
    ),
)
members = st.lists(
    st.builds(Member, st.just("plant"), st.text("abc", max_size=3), st.booleans(), progresses), max_size=5
)
ORDER = [Stage.CANARY, Stage.PERCENTAGE, Stage.ALL, Stage.DONE]


@settings(max_examples=120)
@given(members, st.sampled_from(list(Stage)), st.integers(0, 100), st.floats(0, 1000))
def test_of_any_fleet_it_never_goes_on_over_an_objection(
    fleet: list[Member], stage: Stage, percentage: int, minutes: float
) -> None:
    before = state(*fleet, stage=stage, percentage=percentage, entered_at=NOW - timedelta(minutes=minutes))
    step = decide(before, NOW)
    assert step == decide(before, NOW)
    if stage not in UNDER_WAY:
        assert step is None
        return
    objections = [
        m for m in fleet if m.progress.phase not in ("failed", "rolled_back") and m.progress.objection(LIMITS)
    ]
    if any(m.progress.phase == "active" for m in objections):
        assert step is not None and step.stage is Stage.ROLLED_BACK
    elif objections:
        assert step is not None and step.stage is Stage.HALTED
    if step is not None and step.stage in ORDER:
        assert not objections
        assert ORDER.index(step.stage) >= ORDER.index(stage)
        assert (step.stage, step.percentage) != (stage, percentage)
        assert minutes >= LIMITS.soak_minutes
        canaries = [m for m in fleet if m.canary]
        assert all(m.progress.phase == "active" and m.progress.healthy >= 2 for m in canaries)


@given(st.integers(0, 99))
def test_by_hand_it_always_ends(percentage: int) -> None:
    at, steps = state(stage=Stage.CANARY, percentage=percentage), 0
    while (step := following(at, "by hand")) is not None:
        at, steps = state(stage=step.stage, percentage=step.percentage), steps + 1
    assert at.stage is Stage.DONE and steps <= 4
