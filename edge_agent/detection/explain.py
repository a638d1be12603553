"""A verdict in plain words, for a person who stands before the machine."""

import re
from datetime import datetime, timedelta
from pathlib import PurePath

from edge_agent.detection.third_octave import label
from edge_agent.detection.verdict import Change, NearestNormal, Rhythm, Verdict

_HEARD_DB, _SLIGHT_DB = 0.2, 1.0
_UNCOMMON = 99.0
_LOWEST_HZ = 50.0
_LOW_HZ, _MIDDLE_HZ, _HIGH_HZ = 160.0, 1000.0, 2000.0
_REAL_TREND = 0.01
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0

_LIVE = re.compile(r"live (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", re.ASCII)
"""What commissioning calls sound that it heard itself."""

_UNLIKE = {
    "texture": "it fluctuates unlike normal",
    "transient": "its loudest moments differ",
    "embedding": "its overall sound differs",
    "reconstruction": "the model cannot rebuild it from the sound that it knows",
}
"""What a detector hears that cannot be said in bands."""

_CHECK = {
    "hum": "check balance, mounting and loose parts",
    "rumble": "check balance, mounting and loose parts",
    "tone": "check bearings, gears, belt and speed",
    "whine": "check bearings, gears, belt and speed",
    "hiss": "check for leaks, lubrication and worn bearings",
    "noise": "check bearings, lubrication and flow",
    "knocking": "look for a loose, cracked or hitting part",
    "clicking": "look for a damaged bearing or tooth, or a loose part",
    "less": "check speed, load and flow, and whether something covers the microphone",
}
"""What to look at first, by what is heard: a hint from the kind of sound, no diagnosis."""


def sentence(
    machine_id: str,
    verdict: Verdict,
    *,
    lasted_s: float | None = None,
    trend_per_day: float | None = None,
    days_to_limit: float | None = None,
) -> str:
    """What was heard, how unusual it is, for how long, where it leads, and what to do.

    Args:
        machine_id: The machine.
        verdict: On the window.
        lasted_s: Seconds since the first of the windows that raised the alarm, where there is one.
        trend_per_day: Change of the machine's health index per day, where it is known.
        days_to_limit: Days until that trend meets the alarm limit, where it falls.
    """
    for finding in verdict.health:
        if finding.blocking:
            return f"{machine_id} cannot be heard: {finding.message}."
    trend = _trend(trend_per_day, days_to_limit)
    if not verdict.is_anomalous:
        if verdict.percentile >= _UNCOMMON:
            return f"{machine_id} sounds a little unusual, not enough for an alarm: {_rarity(verdict)}{trend}."
        alike = f"{100 - verdict.percentile:.0f} % of its normal windows are as unusual as this one"
        return f"{machine_id} sounds normal: {alike}{trend}."
    for_long = "" if lasted_s is None else f" for {_duration(lasted_s)}"
    said = f"{machine_id} sounds unlike its normal{for_long}: {_heard(verdict)}; {_rarity(verdict)}{trend}."
    mind = "".join(f" Mind the input: {finding.message}." for finding in verdict.health)
    return f"{said}{mind} {_advice(verdict)}."


def describe(change: Change) -> str:
    """One change as a person would say it.

    >>> describe(Change((3150.0,), 9.2, 3080.0, Rhythm.STEADY, None))
    'a steady whine around 3.1 kHz, 9 dB louder than normal'
    >>> describe(Change((800.0, 1000.0), 6.0, None, Rhythm.INTERMITTENT, 4.2))
    'knocking around 800 Hz to 1 kHz, about 4 times a second, 6 dB louder than normal'
    """
    where = _place(change)
    if abs(change.change_db) < _HEARD_DB:
        return f"an unusual sound {where}, no louder than normal"
    amount = f"{abs(change.change_db):.0f} dB" if abs(change.change_db) >= _SLIGHT_DB else "slightly"
    if change.change_db < 0:
        return f"less sound {where}, {amount} quieter than normal"
    often = "" if change.rate_hz is None else f", about {_often(change.rate_hz)}"
    kind = _kind(change)
    word = kind if kind in ("knocking", "clicking") else f"{_article(change.rhythm)} {change.rhythm.value} {kind}"
    return f"{word} {where}{often}, {amount} louder than normal"


def _heard(verdict: Verdict) -> str:
    """The changes, and what cannot be said in bands if that weighs most."""
    said = [describe(change) for change in verdict.changes]
    main = max(verdict.detectors, key=lambda detector: detector.share, default=None)
    if main is not None and main.name in _UNLIKE:
        said.insert(0, _UNLIKE[main.name])
    return ", and ".join(said) if said else "it differs a little in many bands"


def _kind(change: Change) -> str:
    """The word for a sound: by its pitch, whether it is narrow, and how it goes on."""
    centre_hz = change.tone_hz or change.bands_hz[len(change.bands_hz) // 2]
    if change.rhythm is Rhythm.INTERMITTENT:
        return "knocking" if centre_hz < _HIGH_HZ else "clicking"
    if change.tone_hz is not None:
        return "hum" if centre_hz < _LOW_HZ else "tone" if centre_hz < _MIDDLE_HZ else "whine"
    return "rumble" if centre_hz < _LOW_HZ else "noise" if centre_hz < _HIGH_HZ else "hiss"


def _place(change: Change) -> str:
    if change.bands_hz[-1] < _LOWEST_HZ:
        return f"below {label(_LOWEST_HZ)}"
    if change.tone_hz is not None:
        return f"around {_pitch(change.tone_hz)}"
    if len(change.bands_hz) == 1:
        return f"around {label(change.bands_hz[0])}"
    low, high = label(change.bands_hz[0]), label(change.bands_hz[-1])
    number, unit = low.split(" ")
    return f"around {number if high.endswith(f' {unit}') else low} to {high}"


def _pitch(hz: float) -> str:
    return f"{hz / 1000:.1f} kHz" if hz >= _MIDDLE_HZ else f"{float(f'{hz:.2g}'):.0f} Hz"


def _article(rhythm: Rhythm) -> str:
    return "an" if rhythm.value[0] in "aeiou" else "a"


def _often(rate_hz: float) -> str:
    return f"{rate_hz:.0f} times a second" if rate_hz >= 1.5 else f"every {1.0 / rate_hz:.1f} s"


def _rarity(verdict: Verdict) -> str:
    """How unusual, no further than the normal windows that were heard can tell."""
    normal = verdict.normal_windows
    once_in = 10.0 ** min(verdict.score, 9.0)
    if normal and once_in > normal:
        return f"more unusual than all {normal:,} normal windows that it was learnt from"
    if once_in < 1000:
        return f"one normal window in {once_in:,.0f} is as unusual"
    return f"more unusual than {min(verdict.percentile, 99.99):.2f} % of its normal windows"


def _trend(per_day: float | None, days_to_limit: float | None) -> str:
    """Where the last days lead; nothing where they lead nowhere."""
    if per_day is None or abs(per_day) < _REAL_TREND:
        return ""
    points = f"{abs(per_day) * 100:.0f} % a day"
    if per_day > 0:
        return f"; its health has been rising by {points}"
    left = ""
    if days_to_limit is not None and days_to_limit >= 1:
        left = f", which leaves about {days_to_limit:.0f} days to the alarm limit"
    return f"; its health has been falling by {points}{left}"


def _advice(verdict: Verdict) -> str:
    check = "go and listen"
    if verdict.changes:
        first = verdict.changes[0]
        if first.change_db <= -_HEARD_DB:
            check = _CHECK["less"]
        elif first.change_db >= _HEARD_DB:
            check = _CHECK[_kind(first)]
    return f"{check[0].upper()}{check[1:]}; compare it with {_clip(verdict.nearest_normal)}"


def _clip(nearest: NearestNormal) -> str:
    if heard_at := _heard_at(nearest):  # it was learnt from what was heard: there is no file to name
        return f"its normal sound of {heard_at:%Y-%m-%d %H:%M:%S} UTC"
    name = PurePath(nearest.recording).name  # the whole path stands in the event
    if not nearest.start_s:
        return name
    minutes, seconds = divmod(round(nearest.start_s), 60)
    return f"{name} at {minutes}:{seconds:02d}"


def _heard_at(nearest: NearestNormal) -> datetime | None:
    live = _LIVE.fullmatch(nearest.recording)
    if live is None:
        return None
    try:
        began = datetime.fromisoformat(live[1])
        return began + timedelta(seconds=nearest.start_s or 0.0)
    except (ValueError, OverflowError):
        return None  # a file of that name, and no day


def _duration(lasted_s: float) -> str:
    for unit_s, word in ((_DAY_S, "day"), (_HOUR_S, "hour"), (_MINUTE_S, "minute")):
        if lasted_s >= 1.5 * unit_s or (lasted_s >= unit_s and word == "minute"):
            count = round(lasted_s / unit_s)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{lasted_s:.0f} seconds"
