"""The daemon keeps the sound of an alarm as it was captured, and the alarm names it."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_agent.clips.sidecar import parse_sidecar
from tests.end_to_end.conftest import PUMP, MakeSite, Plant, source
from tests.support.agent import BUNDLE, Shell, running
from tests.support.broker import Broker, needs_mosquitto, wait_until
from tests.support.ear import listening, needs_mosquitto_sub
from tests.support.plant import HEALTHY_S, RATE_HZ

pytestmark = [pytest.mark.end_to_end, needs_mosquitto, needs_mosquitto_sub]


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capfd)


ROLL = "pre_roll_s = 15.0\npost_roll_s = 5.0\n"


def test_an_alarms_clip_is_what_was_captured(
    plant: Plant, broker: Broker, make_site: MakeSite, tmp_path: Path, shell: Shell
) -> None:
    clips = f'[clips]\nmin_free_bytes = 0\nspeech = "off"\n{ROLL}'
    site = make_site(clips + PUMP + source("film", "pump_1", plant.film, 20.0), broker.port)
    with listening(broker, tmp_path / "heard") as ear, running(site.config, site.http_port, site.log) as agent:

        def named() -> list[dict[str, object]]:
            alarms = [letter.data for letter in ear.letters("/machine/pump_1/alarm")]
            return [alarm for alarm in alarms if alarm.get("clip")]

        wait_until(lambda: bool(named()), 60.0, "an alarm that names its clip")
        wait_until(lambda: "edge_agent_clips_kept_total" in agent.get("/metrics")[1], what="metrics of clips")
        assert agent.stop() == 0
    alarm = named()[0]
    listed = shell("clips", "list", "--json", "--reason", "alarm", "--state-dir", site.state)
    rows = [json.loads(line) for line in listed.out.splitlines()]
    row = next(row for row in rows if row["id"] == alarm["clip"])
    path = Path(shell("clips", "play-path", row["id"], "--state-dir", site.state).out.strip())
    clip = parse_sidecar(path.with_suffix(".json").read_bytes(), name=str(path))
    assert clip.alarm == alarm["alarm"]
    assert (clip.machine, clip.machine_type, clip.origin.source, clip.origin.device) == (
        "pump_1", "pump", "film", "replay",
    )  # fmt: skip

    film, _ = soundfile.read(plant.film, dtype="float32")
    samples, rate_hz = soundfile.read(path, dtype="float32")
    first = clip.sound.first_sample
    assert rate_hz == RATE_HZ
    assert np.array_equal(samples, film[first : first + len(samples)])
    window_s = (first / RATE_HZ) + clip.sound.window_offset_s
    assert HEALTHY_S <= window_s < HEALTHY_S + 60.0
    assert len(samples) == round((15.0 + 10.0 + 5.0) * RATE_HZ)
    assert clip.sound.window_offset_s == 15.0
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    shown = shell("clips", "show", row["id"], "--state-dir", site.state)
    assert f"alarm {alarm['alarm']}" in shown.out
    assert shell("clips", "verify", "--state-dir", site.state).status == 0


def test_log_mel_clips_replay_to_the_scores_they_had(plant: Plant, make_site: MakeSite, shell: Shell) -> None:
    limits = "random_per_day = 1000\nnovel_distance = 0.001\nnovel_per_day = 100\n"
    clips = f'[clips]\nmin_free_bytes = 0\nkeep = "log_mel"\nspeech = "off"\n{limits}'
    site = make_site(clips + PUMP + source("film", "pump_1", plant.film, 20.0), None)
    with running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: len(list(site.state.glob("clips/*/*.npz"))) >= 5, 60.0, "five clips")
        assert agent.stop() == 0
    assert not list(site.state.glob("clips/*/*.flac"))
    compared = 0
    for path in sorted(site.state.glob("clips/*/*.npz")):
        clip = parse_sidecar(path.with_suffix(".json").read_bytes(), name=str(path))
        done = shell(
            "replay", path, "--json", "--machine", "pump_1", "--bundle", f"{BUNDLE}/", "--state-dir", site.state
        )
        (score,) = done.scores
        assert clip.judgement.score is not None
        # float16 keeps decibels to 0.03; the int8 encoder may step by one where a value lay between two steps
        assert score == pytest.approx(clip.judgement.score, rel=0.01, abs=0.02)
        compared += 1
    assert compared >= 5
