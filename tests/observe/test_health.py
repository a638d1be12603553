from __future__ import annotations

import pytest

from edge_agent.observe.health import Health, HealthLimits, Kind, State

LIMITS = HealthLimits(
    start_within_s=15.0, degraded_after_s=3.0, down_after_s=15.0, max_unscored_s=30.0, loop_silent_s=20.0
)


@pytest.fixture
def health() -> Health:
    made = Health(LIMITS)
    made.register("mic", Kind.SOURCE, now_s=0.0)
    return made


def state(health: Health, now_s: float, name: str = "mic") -> State:
    return health.component(name, now_s=now_s).state


@pytest.mark.parametrize(
    ("now_s", "expected"),
    [(0.0, State.STARTING), (15.0, State.STARTING), (15.1, State.DOWN), (1e6, State.DOWN)],
)
def test_a_source_that_never_started_is_down_not_starting(health: Health, now_s: float, expected: State) -> None:
    assert state(health, now_s) is expected


@pytest.mark.parametrize(
    ("silent_s", "expected"),
    [(0.0, State.UP), (3.0, State.UP), (3.1, State.DEGRADED), (15.0, State.DEGRADED), (15.1, State.DOWN)],
)
def test_a_source_that_falls_silent_degrades_and_goes_down(health: Health, silent_s: float, expected: State) -> None:
    health.audio("mic", 0.1, now_s=100.0)
    assert state(health, 100.0 + silent_s) is expected


def test_audio_brings_a_failed_source_back(health: Health) -> None:
    health.audio("mic", 0.1, now_s=1.0)
    health.down("mic", "unplugged")
    report = health.component("mic", now_s=1.1)
    assert (report.state, report.detail) == (State.DOWN, "unplugged")
    health.audio("mic", 0.1, now_s=2.0)
    assert state(health, 2.0) is State.UP


def test_a_degraded_source_stays_so_until_it_recovers(health: Health) -> None:
    health.degraded("mic", "clipped")
    health.audio("mic", 0.1, now_s=1.0)
    assert state(health, 1.0) is State.DEGRADED
    health.recovered("mic")
    assert state(health, 1.0) is State.UP


def test_audio_that_is_never_scored_means_the_scorer_hangs(health: Health) -> None:
    for second in range(1, 31):
        health.audio("mic", 1.0, now_s=float(second))
    assert health.live(now_s=30.0).ok
    health.audio("mic", 1.0, now_s=31.0)
    check = health.live(now_s=31.0)
    assert not check.ok
    assert "mic" in check.reasons[0]
    assert health.report(now_s=31.0).state is State.DOWN
    health.window("mic", now_s=31.5)
    assert health.live(now_s=31.5).ok


def test_a_source_without_audio_does_not_ask_for_a_restart(health: Health) -> None:
    health.audio("mic", 29.0, now_s=29.0)
    health.down("mic", "unplugged")
    assert health.live(now_s=1000.0).ok
    health.audio("mic", 5.0, now_s=1001.0)
    assert health.live(now_s=1001.0).ok


def test_one_source_that_is_scored_does_not_hide_another_that_is_not(health: Health) -> None:
    health.register("mic2", Kind.SOURCE, now_s=0.0)
    for second in range(1, 40):
        for source in ("mic", "mic2"):
            health.audio(source, 1.0, now_s=float(second))
        health.window("mic", now_s=float(second))
    assert health.live(now_s=40.0).reasons == ("source mic2: 39 s of audio arrived and was not scored",)


def test_a_loop_that_does_not_beat_hangs() -> None:
    health = Health(LIMITS)
    health.register("scorer", Kind.LOOP, now_s=0.0)
    assert health.live(now_s=20.0).ok
    assert not health.live(now_s=20.1).ok  # also one that never beat
    health.beat("scorer", now_s=21.0)
    assert health.live(now_s=41.0).ok
    assert not health.live(now_s=41.1).ok
    assert state(health, 41.1, "scorer") is State.DOWN


def test_readiness_needs_a_bundle_its_self_test_and_a_source(health: Health) -> None:
    assert health.ready(now_s=0.0).reasons == ("no bundle verified", "none of 1 sources is up")
    health.audio("mic", 0.1, now_s=1.0)
    assert health.ready(now_s=1.0).reasons == ("no bundle verified",)
    health.bundle_verified("base 1.0.0", self_test_passed=False)
    assert health.ready(now_s=1.0).reasons == ("bundle base 1.0.0 failed its self-test",)
    health.bundle_verified("base 1.0.0", self_test_passed=True)
    assert health.ready(now_s=1.0).ok
    assert not health.ready(now_s=17.0).ok


def test_the_whole_is_as_its_parts(health: Health) -> None:
    health.bundle_verified("base", self_test_passed=True)
    assert health.report(now_s=1.0).state is State.STARTING
    health.audio("mic", 0.1, now_s=2.0)
    assert health.report(now_s=2.0).state is State.UP
    health.register("mqtt", Kind.SINK, now_s=2.0)
    health.down("mqtt", "no broker")
    report = health.report(now_s=2.0)
    assert report.state is State.DEGRADED  # works on without a broker
    assert report.ready.ok
    health.forget("mqtt")
    assert health.report(now_s=2.0).state is State.UP
    assert health.report(now_s=100.0).state is State.DOWN


def test_windows_that_fail_one_after_another_degrade_their_source_until_one_is_scored(health: Health) -> None:
    health.audio("mic", 0.1, now_s=1.0)
    for _ in range(2):
        health.window("mic", now_s=1.0, channel=1, fault="BundleError: broken")
        health.window("mic", now_s=1.0, channel=0)
        assert state(health, 1.0) is State.UP
    health.window("mic", now_s=1.0, channel=1, fault="BundleError: broken")
    report = health.component("mic", now_s=1.0)
    assert (report.state, report.detail) == (State.DEGRADED, "windows cannot be scored: BundleError: broken")
    health.window("mic", now_s=2.0, channel=0)
    assert state(health, 2.0) is State.DEGRADED, "another channel's windows mend nothing"
    health.window("mic", now_s=2.0, channel=1)
    assert state(health, 2.0) is State.UP


def test_a_channel_that_is_heard_no_more_degrades_nothing(health: Health) -> None:
    health.audio("mic", 0.1, now_s=1.0)
    for _ in range(3):
        health.window("mic", now_s=1.0, channel=1, fault="broken")
    health.hears("mic", [0])
    assert state(health, 1.0) is State.UP
