"""Health over weeks: a slow wear is seen, restarts forget nothing, a new commissioning begins anew."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.trends import MAX_BYTES, Trends
from edge_agent.detection.assessment import HealthAssessment
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.scorer import MachineScorer
from edge_agent.detection.verdict import Verdict
from edge_agent.simulate import MachineSimulator, MachineType, fault_kind, random_spec
from tests.detection import simulated, sounds

DAY_NS = 86_400 * 1_000_000_000
START_NS = 1_700_000_000_000_000_000
MADE = {"fan_1": START_NS - DAY_NS}


def verdict(score: float) -> Verdict:
    return Verdict(
        score=score, threshold=4.0, percentile=50.0, detectors=(), bands=(), health=(), state=0, nearest_normal="",
        is_anomalous=False,
    )  # fmt: skip


def opened(path: Path, made: dict[str, int] | None = None) -> Trends:
    return Trends(path, MADE if made is None else made)


def lived(trends: Trends, hours: range, slope_per_day: float = 0.1) -> HealthAssessment:
    found = None
    for hour in hours:
        score = 0.5 + slope_per_day * hour / 24
        found = trends.assessor("fan_1").update(verdict(score), START_NS + hour * DAY_NS // 24)
    assert found is not None
    return found


def test_weeks_of_slow_wear_with_a_restart_every_day(tmp_path: Path) -> None:
    """A rotor goes out of balance over 12 of 16 days; a window every three hours, a restart every night."""
    spec = random_spec(MachineType.FAN, np.random.default_rng(1), "machine_1")
    prior = sounds.prior(shape=1.0)
    profile = commission(
        "fan_1", "fan", simulated.clips(MachineType.FAN, count=20), prior, None, AlarmBudget(), created_ns=1
    )
    scorer, simulator = MachineScorer(profile, prior), MachineSimulator(spec, seed=4)
    fault = fault_kind(MachineType.FAN, "imbalance")
    days: list[HealthAssessment] = []
    for day in range(16):
        trends = opened(tmp_path / "health.json")
        for part in range(8):
            wear = max(0.0, (day + part / 8 - 4) / 12)  # four good days, then twelve of wear
            samples = simulator.render(160_000, fault, 0.6 * wear)
            heard = simulated.heard(samples, "x")
            found = trends.assessor("fan_1").update(
                scorer.score(heard.windows[0], heard.levels[0]), START_NS + day * DAY_NS + part * DAY_NS // 8
            )
        assert found is not None
        days.append(found)
        trends.save()
    assert [day.windows for day in days] == [8 * (k + 1) for k in range(16)]
    assert days[0].trend_per_day is None
    assert days[3].index > days[-1].index
    last = days[-1]
    assert last.trend_per_day is not None and last.trend_per_day < -0.01
    assert last.days_to_limit is not None and 0 < last.days_to_limit < 60
    assert [path.name for path in tmp_path.iterdir()] == ["health.json"]


def test_restarts_change_nothing(tmp_path: Path) -> None:
    through = lived(Trends(None), range(24 * 8))
    for first in range(0, 24 * 8, 16):
        trends = opened(tmp_path / "health.json")
        last = lived(trends, range(first, first + 16))
        trends.save()
    assert last == through
    assert last.trend_per_day is not None and last.days_to_limit is not None


def test_a_machine_commissioned_anew_begins_anew_at_once_and_after_a_restart(tmp_path: Path) -> None:
    trends = opened(tmp_path / "health.json")
    lived(trends, range(72))
    trends.save()
    assert lived(opened(tmp_path / "health.json", {"fan_1": START_NS}), range(72, 73)).windows == 1
    trends.commissioned({"fan_1": START_NS})
    assert lived(trends, range(72, 73)).windows == 1


def test_it_is_kept_every_ten_minutes(tmp_path: Path) -> None:
    trends = opened(tmp_path / "health.json")
    lived(trends, range(3))
    trends.keep(now_s=599.0)
    assert not (tmp_path / "health.json").exists()
    trends.keep(now_s=600.0)
    assert (tmp_path / "health.json").exists()


def test_machines_that_are_gone_are_forgotten_and_others_kept(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    trends = opened(path, {"fan_1": 1, "fan_2": 1})
    for machine in ("fan_1", "fan_2"):
        trends.assessor(machine).update(verdict(1.0), START_NS)
    trends.save()
    later = opened(path, {"fan_2": 1, "fan_3": 1})
    later.assessor("fan_3").update(verdict(1.0), START_NS)
    later.save()
    assert set(json.loads(path.read_text())["machines"]) == {"fan_2", "fan_3"}


def test_a_clock_that_was_ahead_does_not_stop_the_trend() -> None:
    trends = Trends(None)
    trends.assessor("fan_1").update(verdict(0.5), START_NS + 400 * DAY_NS)
    assert lived(trends, range(72)).trend_per_day is not None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b'{"version": 2, "machines": {}}', b'{"version": 1, "machines": {"../x": {}}}', b"\xff\xfe",
        b"{" * 10_000,
        b'{"version":1,"machines":{"m":{"commissioned_ns":1,"score":NaN,"windows":1,"hourly":[]}}}',
        b'{"version":1,"machines":{"m":{"commissioned_ns":1,"score":1,"windows":1,"hourly":[[-1,0.5]]}}}',
        b'{"version":1,"machines":{"m":{"commissioned_ns":1,"score":1,"windows":1,"hourly":[[1,7]]}}}',
        b" " * (MAX_BYTES + 1),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_file_that_is_none_is_logged_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "health.json"
    path.write_bytes(content)
    trends = opened(path)
    assert "trends begin anew" in caplog.text
    lived(trends, range(3))
    trends.save()
    assert lived(opened(path), range(3, 4)).windows == 4


def test_a_link_or_a_pipe_in_its_place_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    (tmp_path / "health.json").symlink_to(secret)
    trends = opened(tmp_path / "health.json")
    assert "cannot be read" in caplog.text
    lived(trends, range(1))
    trends.save()
    assert secret.read_text() == "{}" and not (tmp_path / "health.json").is_symlink()


def test_a_disk_that_refuses_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trends = opened(tmp_path / "gone" / "health.json")
    lived(trends, range(3))
    trends.save()
    trends.save()
    assert caplog.text.count("cannot be written") == 1
    (tmp_path / "gone").mkdir()
    trends.save()
    assert (tmp_path / "gone" / "health.json").is_file()
