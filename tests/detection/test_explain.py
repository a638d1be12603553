"""Sentences for people: what, how much, how unusual, for how long, where it leads, what to do."""

from dataclasses import replace

import pytest

from edge_agent.detection.explain import describe, sentence
from edge_agent.detection.verdict import (
    Change,
    DetectorVerdict,
    HealthCode,
    HealthFinding,
    NearestNormal,
    Rhythm,
    Verdict,
)

WHINE = Change((3150.0,), 9.2, 3080.0, Rhythm.STEADY, None)
ODD = Verdict(
    score=5.0,
    threshold=3.0,
    percentile=99.999,
    detectors=(DetectorVerdict("shape", 9.0, 5.0, 0.8), DetectorVerdict("texture", 2.0, 1.0, 0.2)),
    bands=(),
    health=(),
    state=0,
    nearest_normal=NearestNormal("monday.wav", 80.0, 0.1),
    is_anomalous=True,
    changes=(WHINE,),
    normal_windows=60,
)


def _change(
    *bands_hz: float,
    by_db: float = 6.0,
    tone_hz: float | None = None,
    rhythm: Rhythm = Rhythm.STEADY,
    rate_hz: float | None = None,
) -> Change:
    return Change(bands_hz, by_db, tone_hz, rhythm, rate_hz)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (WHINE, "a steady whine around 3.1 kHz, 9 dB louder than normal"),
        (_change(100.0, tone_hz=98.7), "a steady hum around 99 Hz, 6 dB louder than normal"),
        (_change(400.0, tone_hz=412.0), "a steady tone around 410 Hz, 6 dB louder than normal"),
        (_change(25.0, tone_hz=23.0), "a steady hum below 50 Hz, 6 dB louder than normal"),
        (_change(63.0, 80.0), "a steady rumble around 63 to 80 Hz, 6 dB louder than normal"),
        (_change(800.0, 1000.0), "a steady noise around 800 Hz to 1 kHz, 6 dB louder than normal"),
        (_change(4000.0, 5000.0), "a steady hiss around 4 to 5 kHz, 6 dB louder than normal"),
        (_change(4000.0, rhythm=Rhythm.UNEVEN), "an uneven hiss around 4 kHz, 6 dB louder than normal"),
        (_change(630.0, rhythm=Rhythm.INTERMITTENT, rate_hz=4.2),
         "knocking around 630 Hz, about 4 times a second, 6 dB louder than normal"),
        (_change(5000.0, rhythm=Rhythm.INTERMITTENT, rate_hz=0.8),
         "clicking around 5 kHz, about every 1.2 s, 6 dB louder than normal"),
        (_change(500.0, by_db=-7.0), "less sound around 500 Hz, 7 dB quieter than normal"),
        (_change(500.0, by_db=0.6), "a steady noise around 500 Hz, slightly louder than normal"),
        (_change(500.0, by_db=0.05), "an unusual sound around 500 Hz, no louder than normal"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_change_in_words(change: Change, words: str) -> None:
    assert describe(change) == words


def test_all_that_a_person_needs() -> None:
    assert sentence("fan_1", ODD, lasted_s=750.0, trend_per_day=-0.05, days_to_limit=11.6) == (
        "fan_1 sounds unlike its normal for 12 minutes: a steady whine around 3.1 kHz, 9 dB louder than normal; "
        "more unusual than all 60 normal windows that it was learnt from; its health has been falling by 5 % a day, "
        "which leaves about 12 days to the alarm limit. "
        "Check bearings, gears, belt and speed; compare it with monday.wav at 1:20."
    )


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        ("live 2026-11-28T23:59:42.144750Z", "its normal sound of 2026-11-29 00:01:02 UTC."),
        ("live 2026-99-28T23:59:42Z", "live 2026-99-28T23:59:42Z at 1:20."),
        ("live 9999-12-31T23:59:59Z", "live 9999-12-31T23:59:59Z at 1:20."),
        ("a/live.wav", "live.wav at 1:20."),
    ],
)
def test_what_it_heard_itself_is_named_by_its_time(recording: str, said: str) -> None:
    odd = replace(ODD, nearest_normal=NearestNormal(recording, 80.0, 0.1))
    assert sentence("fan_1", odd).endswith(f"compare it with {said}")


@pytest.mark.parametrize(
    ("score", "windows", "words"),
    [
        (2.0, 500, "one normal window in 100 is as unusual"),
        (2.0, 60, "more unusual than all 60 normal windows that it was learnt from"),
        (4.0, 20_000, "more unusual than 99.99 % of its normal windows"),
        (12.0, 60, "more unusual than all 60 normal windows that it was learnt from"),
        (2.0, 0, "one normal window in 100 is as unusual"),
    ],
)
def test_odds_go_no_further_than_what_was_heard(score: float, windows: int, words: str) -> None:
    verdict = replace(ODD, score=score, percentile=100 * (1 - 10**-score), normal_windows=windows)
    assert words in sentence("fan_1", verdict)


@pytest.mark.parametrize(
    ("lasted_s", "words"),
    [
        (30.0, "for 30 seconds:"), (60.0, "for 1 minute:"), (5000.0, "for 83 minutes:"), (7200.0, "for 2 hours:"),
        (200_000.0, "for 2 days:"),
    ],
)  # fmt: skip
def test_for_how_long(lasted_s: float, words: str) -> None:
    assert words in sentence("fan_1", ODD, lasted_s=lasted_s)


def test_what_cannot_be_said_in_bands_comes_first_where_it_weighs_most() -> None:
    verdict = replace(
        ODD, detectors=(DetectorVerdict("texture", 9.0, 5.0, 0.9), DetectorVerdict("shape", 1.0, 0.1, 0.1))
    )
    assert "normal: it fluctuates unlike normal, and a steady whine" in sentence("fan_1", verdict)


def test_nothing_to_name() -> None:
    said = sentence("fan_1", replace(ODD, changes=()))
    assert "it differs a little in many bands" in said
    assert "Go and listen" in said


@pytest.mark.parametrize(
    ("percentile", "words"),
    [
        (29.0, "fan_1 sounds normal: 71 % of its normal windows are as unusual as this one."),
        (99.5, "fan_1 sounds a little unusual, not enough for an alarm: one normal window in 200 is as unusual."),
    ],
)
def test_normal_sound(percentile: float, words: str) -> None:
    verdict = replace(ODD, is_anomalous=False, percentile=percentile, score=2.301, normal_windows=400)
    assert sentence("fan_1", verdict) == words


def test_a_fault_of_the_input_comes_first() -> None:
    dead = HealthFinding(HealthCode.DEAD, True, "digital silence; check the cable")
    assert sentence("fan_1", replace(ODD, health=(dead,))) == "fan_1 cannot be heard: digital silence; check the cable."


def test_a_doubt_about_the_input_is_told() -> None:
    hum = HealthFinding(HealthCode.HUM, False, "mains hum of 50 Hz rose by 13 dB")
    assert "Mind the input: mains hum of 50 Hz rose by 13 dB." in sentence("fan_1", replace(ODD, health=(hum,)))
