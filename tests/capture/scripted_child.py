"""The child process of a device whose driver a test plays: `<what it does>-<after how many samples>`."""

from __future__ import annotations

import os
import signal
import sys
import time
from array import array

from edge_agent.capture.device_child import main
from edge_agent.capture.errors import SourceError
from edge_agent.capture.raw_stream import DeviceSettings, RawStream
from edge_agent.capture.reasons import Lost


class ScriptedStream:
    """Gives a ramp at the pace of time, until its time has come."""

    def __init__(self, settings: DeviceSettings) -> None:
        self.act, _, after = settings.device.partition("-")
        self.after = int(after or 0)
        self.channels = settings.channels
        self.rate_hz = settings.rate_hz
        self.given = 0
        self.started_s = time.monotonic()
        if self.act == "absent":
            raise SourceError("device 'absent' is not there")
        if self.act == "defect":
            raise ZeroDivisionError("oops")
        if self.act == "hang":
            time.sleep(1000)
        if self.act == "babble":
            os.write(1, b"ALSA lib pcm.c: something\n" * 100)

    def available(self) -> int:
        return 0

    def read(self, n: int) -> tuple[bytes, bool]:
        if self.given >= self.after:
            self._do()
        first, self.given = self.given, self.given + n
        # by the clock: a device that slept for each block would fall behind on a busy computer, and that is a loss
        time.sleep(max(0.0, self.started_s + self.given / self.rate_hz - time.monotonic()))
        ramp = (float(frame) for frame in range(first, self.given) for _ in range(self.channels))
        return array("f", ramp).tobytes(), False

    def _do(self) -> None:
        match self.act:
            case "fail":
                raise SourceError("device 'fail' stopped", Lost.UNPLUGGED)
            case "freeze":
                time.sleep(1000)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)


def open_scripted(settings: DeviceSettings) -> RawStream:
    return ScriptedStream(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], open_scripted))
