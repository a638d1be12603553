"""Why a clip is kept, and why one is not. The values stand in sidecars and metrics."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a window is kept, the weightiest first."""

    ALARM = "alarm"
    """It raised an alarm, or was by far the oddest since."""
    REQUEST = "request"
    """An operator asked for it."""
    UNCERTAIN = "uncertain"
    """Its score lies near the threshold: a label of it teaches most."""
    NOVEL = "novel"
    """It lies far from every clip kept of this machine."""
    RANDOM = "random"
    """A random one of its part of the day, while nothing was wrong."""


class Dropped(StrEnum):
    """Why a clip that was wanted is not kept."""

    QUEUE_FULL = "queue_full"
    """The writer fell behind: clips are given up before anything else."""
    NO_AUDIO = "no_audio"
    """Its sound had left the memory, or never came."""
    SPEECH = "speech"
    """It holds speech, or could not be screened for it."""
    QUOTA = "quota"
    """No room, and nothing of less value to give up."""
    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    IO_ERROR = "io_error"
    SHUTDOWN = "shutdown"
    """The agent ended before it was written."""


class Removed(StrEnum):
    """Why a clip that was kept is gone."""

    EVICTED = "evicted"
    """Others of more value needed the room."""
    REPLACED = "replaced"
    """Another random one of the same part of the day took its place."""
    DELETED = "deleted"
    """An operator deleted it."""
    DAMAGED = "damaged"
    """Its file was gone or unreadable."""
