"""On the scorer's side: remembers the last minute of every channel, decides, and cuts what is to be kept."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.job import ClipJob
from edge_agent.clips.policy import HeardWindow, KeepPolicy
from edge_agent.clips.reasons import Dropped, Reason
from edge_agent.clips.ring import AudioRing, Stretch
from edge_agent.clips.sidecar import Judgement, Origin
from edge_agent.clips.writer import ClipWriter

SAMPLE_RATE_HZ = 16_000
ChannelKey = tuple[str, int]

_WEIGHTY = (Reason.ALARM, Reason.REQUEST)
_LATE_S = 30.0
"""How much a channel may run ahead of its windows, in a replay faster than time, before clips lose their begin."""


@dataclass(frozen=True, slots=True)
class Roll:
    """How much is kept around the window of an alarm or a request, seconds, and the longest window."""

    pre_s: float = 20.0
    post_s: float = 10.0
    window_s: float = 10.0

    @property
    def ring_samples(self) -> int:
        """What a channel must remember for it."""
        return round((self.pre_s + 2 * self.window_s + self.post_s + _LATE_S) * SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedWindow:
    """One finished window and all that a sidecar says of it.

    Attributes:
        heard: What the policy looks at.
        machine_type: The machine's kind.
        origin: Where it was heard.
        judgement: What was made of it.
        clock_synced: Whether its wall time can be trusted.
        first_sample, samples: Where it lies on the stream's clock, at 16 kHz.
        log_mel_db: Its frames `[frames, 128]`.
        alarm: Id of the machine's open alarm.
    """

    heard: HeardWindow
    machine_type: str
    origin: Origin
    judgement: Judgement
    clock_synced: bool
    first_sample: int
    samples: int
    log_mel_db: NDArray[np.float32]
    alarm: str | None = None


@dataclass(frozen=True, slots=True)
class Requested:
    """What became of a request to keep a machine's next window.

    Attributes:
        clip: Id of the clip; None while no window has ended since.
        kept: Whether it is on the disk.
        dropped: Why it is not kept.
    """

    clip: str | None
    kept: bool = False
    dropped: Dropped | None = None


@dataclass(slots=True)
class _Channel:
    ring: AudioRing
    waiting: list[tuple[int, ClipJob]]
    """Clips that wait for their post roll: the sample after it, and all but the sound."""
    ended: bool = False


class ChannelTap:
    """Where a channel's samples at 16 kHz pass by."""

    def __init__(self, recorder: "ClipRecorder", key: ChannelKey) -> None:
        self._recorder = recorder
        self._key = key

    def push(self, samples: NDArray[np.float32]) -> None:
        """The next samples `[n]`."""
        self._recorder.heard(self._key, samples)

    def gap(self, count: int) -> None:
        """So many samples were lost here."""
        self._recorder.lost(self._key, count)

    def end(self) -> None:
        """Nothing more comes."""
        self._recorder.ended(self._key)


class ClipRecorder:
    """Decides which windows are kept and hands their sound to the writer. The scorer's thread uses it.

    Args:
        policy: Which windows.
        writer: Screens, encodes and stores.
        roll: How much around an alarm.
        new_id: Makes ULIDs.
        draw: Random numbers in `[0, 1)`.
        behind: Whether the scorer is behind: then only alarms and requests are kept.
    """

    def __init__(
        self,
        policy: KeepPolicy,
        writer: ClipWriter,
        roll: Roll,
        *,
        new_id: Callable[[], str],
        draw: Callable[[], float],
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self._policy = policy
        self._writer = writer
        self._roll = roll
        self._new_id = new_id
        self._draw = draw
        self._behind = behind
        self._channels: dict[ChannelKey, _Channel] = {}
        self._normal_db: dict[str, NDArray[np.float16]] = {}
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._requests: dict[str, str | None] = {}

    @property
    def ring_bytes(self) -> int:
        """Memory of all channels' sound; may be read from any thread."""
        return sum(channel.ring.nbytes for channel in tuple(self._channels.values()))

    def tap(self, source: str, channel: int) -> ChannelTap:
        """A channel begins, its clock at 0; what was remembered of it is forgotten."""
        self.ended((source, channel))
        key = (source, channel)
        self._channels = {**self._channels, key: _Channel(AudioRing(self._roll.ring_samples), [])}
        return ChannelTap(self, key)

    def window(self, window: RecordedWindow) -> str | None:
        """A window is finished; returns the id of the clip that will show it, None where none is kept.

        The clip comes into being later, or, as `outcome` tells, not at all.
        """
        with self._lock:
            for machine in self._asked:
                self._policy.request(machine)
            self._asked.clear()
        wish = self._policy.decide(window.heard, draw=self._draw())
        before_db = self._normal_db.get(window.heard.machine)
        if window.heard.state == "normal":
            self._normal_db[window.heard.machine] = window.log_mel_db.astype(np.float16)
        if wish is None:
            return None
        clip_id = self._new_id()
        if wish.reason is Reason.REQUEST:
            with self._lock:
                if window.heard.machine not in self._asked:  # asked for again since: the next one answers both
                    self._requests[window.heard.machine] = clip_id
        weighty = wish.reason in _WEIGHTY
        channel = self._channels.get((window.origin.source, window.origin.channel))
        if channel is None or window.first_sample + window.samples > channel.ring.position:
            # a source that began anew: the window is of the stream before, and another sound lies where it was
            self._writer.dropped(clip_id, wish.reason, Dropped.NO_AUDIO)
            return None
        if self._behind() and not weighty:
            self._writer.dropped(clip_id, wish.reason, Dropped.QUEUE_FULL)
            return None
        job = ClipJob(
            clip_id=clip_id,
            wish=wish,
            machine=window.heard.machine,
            machine_type=window.machine_type,
            origin=window.origin,
            judgement=window.judgement,
            alarm=window.alarm,
            clock_synced=window.clock_synced,
            window_start_ns=window.heard.start_ns,
            window_first=window.first_sample,
            window_samples=window.samples,
            stretch=Stretch(0, np.empty(0, np.int16)),
            before_db=before_db if wish.reason is Reason.ALARM else None,
        )
        post = round(self._roll.post_s * SAMPLE_RATE_HZ) if weighty else 0
        channel.waiting.append((window.first_sample + window.samples + post, job))
        self._hand_over(channel)
        return clip_id

    def request(self, machine: str) -> None:
        """Keep the machine's next window, pinned; from any thread."""
        with self._lock:
            self._asked.add(machine)
            self._requests[machine] = None

    def requested(self) -> dict[str, Requested]:
        """What became of the last request of each machine; from any thread."""
        with self._lock:
            requests = dict(self._requests)
        return {machine: self._standing(clip) for machine, clip in requests.items()}

    def outcome(self, clip_id: str) -> Dropped | None:
        """Why a clip that was promised is not kept; None where it was kept or is on its way."""
        return self._writer.outcome(clip_id)

    def forget_embeddings(self) -> None:
        """Another model is in use: what is novel to it begins anew."""
        self._policy.forget_embeddings()

    def close(self) -> None:
        """Nothing more comes on any channel: clips are cut with the post roll there is."""
        for key in tuple(self._channels):
            self.ended(key)

    # What the taps tell

    def heard(self, key: ChannelKey, samples: NDArray[np.float32]) -> None:
        """The next samples of a channel."""
        channel = self._channels[key]
        channel.ring.push(samples)
        self._hand_over(channel)

    def lost(self, key: ChannelKey, count: int) -> None:
        """Samples of a channel were lost."""
        channel = self._channels[key]
        channel.ring.gap(count)
        self._hand_over(channel)

    def ended(self, key: ChannelKey) -> None:
        """A channel ends."""
        channel = self._channels.get(key)
        if channel is not None:
            channel.ended = True  # its last windows come after this: they find what there is
            self._hand_over(channel)

    def forget(self, source: str) -> None:
        """A source is gone for good, and the memory of its sound with it."""
        for key in [key for key in self._channels if key[0] == source]:
            self.ended(key)
        self._channels = {key: channel for key, channel in self._channels.items() if key[0] != source}

    def _standing(self, clip: str | None) -> Requested:
        if clip is None or not self._writer.settled(clip):
            return Requested(clip)
        dropped = self._writer.outcome(clip)
        return Requested(clip, kept=dropped is None, dropped=dropped)

    def _hand_over(self, channel: _Channel) -> None:
        """Cut and hand over the clips whose post roll is there."""
        if not channel.waiting:
            return
        ready = [item for item in channel.waiting if channel.ended or channel.ring.position >= item[0]]
        channel.waiting = [item for item in channel.waiting if item not in ready]
        for stop, job in ready:
            pre = round(self._roll.pre_s * SAMPLE_RATE_HZ) if job.wish.reason in _WEIGHTY else 0
            stretch = channel.ring.cut(job.window_first - pre, stop)
            whole = replace(job, stretch=stretch)
            start, end = whole.window
            if start < 0 or end > len(stretch.samples):
                self._writer.dropped(job.clip_id, job.wish.reason, Dropped.NO_AUDIO)
            else:
                self._writer.offer(whole)
