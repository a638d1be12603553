"""From a job to what is written: screened, cut, encoded. Pure but for the time it takes."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.encode import SAMPLE_RATE_HZ, flac_bytes, log_mel_bytes
from edge_agent.clips.job import ClipJob
from edge_agent.clips.picture import before_after_png
from edge_agent.clips.reasons import Reason
from edge_agent.clips.ring import FULL_SCALE, Stretch
from edge_agent.clips.screen import HOP_SAMPLES, Part, SpeechScreen
from edge_agent.clips.sidecar import MOST_SPANS, Sidecar, Sound, SpeechNote
from edge_agent.delivery.fields import rfc3339
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalSettings

FloatArray = NDArray[np.float32]

_SETTINGS = SignalSettings()
_UNKNOWN_SHA256 = "0" * 64  # the store fills it in


class Keep(StrEnum):
    """What is kept of the sound."""

    AUDIO = "audio"
    LOG_MEL = "log_mel"


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What the store takes."""

    sidecar: Sidecar
    payload: bytes
    picture: bytes | None


def prepare(job: ClipJob, screen: SpeechScreen, keep: Keep) -> Prepared | None:
    """Screen a clip for speech, cut or silence what holds any, and encode the rest.

    Frames lie on the stream's own grid, so that those of the window are the ones it was scored by.

    Args:
        job: The clip.
        screen: Looks for speech.
        keep: Sound, or log-mel frames alone.

    Returns:
        None where speech allows nothing of it to be kept.
    """
    lead, first_frame, frames = grid_frames(job.stretch)
    part = screen.judge(frames, lead=lead, samples=len(job.stretch.samples), window=job.window)
    if part is None:
        return None
    kept = cut(job.stretch, part)
    if kept is not job.stretch:
        _, first_frame, frames = grid_frames(kept)
    of_window = _SETTINGS.frames_within(job.window_first, job.window_first + job.window_samples)
    window_db = frames[max(0, of_window.start - first_frame) : max(0, of_window.stop - first_frame)]
    if keep is Keep.AUDIO:
        payload = flac_bytes(kept.samples)
    else:
        payload = log_mel_bytes(
            window_db, first_frame=of_window.start, machine=job.machine, name=job.clip_id, roll_db=frames
        )
    picture = _picture(job, window_db, screen) if job.wish.reason is Reason.ALARM else None
    return Prepared(_sidecar(job, kept, part.note, keep), payload, picture)


def grid_frames(stretch: Stretch) -> tuple[int, int, FloatArray]:
    """Frames of a stretch that lie on the grid of its stream.

    Returns:
        Samples before the first of them, its number on the stream's grid, and frames `[frames, 128]`, dB.
    """
    first_frame = -(-stretch.first_sample // HOP_SAMPLES)
    lead = first_frame * HOP_SAMPLES - stretch.first_sample
    return lead, first_frame, log_mel_db(stretch.samples[lead:].astype(np.float32) / np.float32(FULL_SCALE))


def cut(stretch: Stretch, part: Part) -> Stretch:
    """What may be kept of a stretch; the stretch itself where that is all of it."""
    if part.start == 0 and part.stop == len(stretch.samples) and not part.masked:
        return stretch
    samples = stretch.samples.copy()
    for start, stop in part.masked:
        samples[start:stop] = 0
    gaps = tuple(
        (max(first, part.start) - part.start, min(last, part.stop) - part.start)
        for first, last in stretch.gaps
        if first < part.stop and last > part.start
    )
    first_sample = stretch.first_sample + part.start
    return Stretch(first_sample, samples[part.start : part.stop], gaps, stretch.clipped_samples)


def joined(gaps: tuple[tuple[int, int], ...], most: int = MOST_SPANS) -> tuple[tuple[int, int], ...]:
    """At most so many gaps: those with the least sound between them become one.

    >>> joined(((0, 1), (5, 6), (7, 8), (20, 30)), most=2)
    ((0, 8), (20, 30))
    """
    between = [after[0] - before[1] for before, after in pairwise(gaps)]
    bridged = set(sorted(range(len(between)), key=between.__getitem__)[: max(0, len(gaps) - most)])
    found: list[tuple[int, int]] = []
    for number, gap in enumerate(gaps):
        if number - 1 in bridged:
            found[-1] = (found[-1][0], gap[1])
        else:
            found.append(gap)
    return tuple(found)


def _picture(job: ClipJob, window_db: FloatArray, screen: SpeechScreen) -> bytes:
    before_db = None if job.before_db is None else job.before_db.astype(np.float32)
    if before_db is not None and screen.holds_speech(before_db):
        before_db = None
    return before_after_png(before_db, window_db)


def _sidecar(job: ClipJob, kept: Stretch, note: SpeechNote, keep: Keep) -> Sidecar:
    offset = job.window_first - kept.first_sample
    start_ns = job.window_start_ns - offset * 1_000_000_000 // SAMPLE_RATE_HZ
    return Sidecar(
        id=job.clip_id,
        sha256=_UNKNOWN_SHA256,
        size_bytes=1,
        machine=job.machine,
        machine_type=job.machine_type,
        reason=job.wish.reason,
        alarm=job.alarm,
        slot=job.wish.slot,
        settles_at=rfc3339(job.wish.settles_ns) if job.wish.settles_ns else None,
        window_start=rfc3339(job.window_start_ns),
        window_start_ns=job.window_start_ns,
        clock_synced=job.clock_synced,
        origin=job.origin,
        sound=Sound(
            kind=keep.value,
            start=rfc3339(max(0, start_ns)),
            first_sample=kept.first_sample,
            samples=len(kept.samples),
            window_offset_s=offset / SAMPLE_RATE_HZ,
            window_s=job.window_samples / SAMPLE_RATE_HZ,
            coverage=kept.coverage,
            gaps=tuple((start / SAMPLE_RATE_HZ, stop / SAMPLE_RATE_HZ) for start, stop in joined(kept.gaps)),
            clipped_samples=kept.clipped_samples,
        ),
        judgement=job.judgement,
        speech=note,
        pinned=job.wish.reason is Reason.REQUEST,
    )
