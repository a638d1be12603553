"""The device child of the soak run: the device gives as fast as it is read, so it is read at a chosen pace."""

from __future__ import annotations

import os
import sys
import time

from edge_agent.capture.device_child import main, open_device
from edge_agent.capture.raw_stream import DeviceSettings, RawStream


class PacedStream:
    def __init__(self, settings: DeviceSettings) -> None:
        self._stream = open_device(settings)
        self._samples_per_s = settings.rate_hz * float(os.environ["SOAK_SPEED"])
        self._started_s = time.monotonic()
        self._given = 0

    def available(self) -> int:
        return 0

    def read(self, n: int) -> tuple[bytes, bool]:
        early_s = self._started_s + self._given / self._samples_per_s - time.monotonic()
        if early_s > 0:
            time.sleep(early_s)
        self._given += n
        return self._stream.read(n)


def open_paced(settings: DeviceSettings) -> RawStream:
    return PacedStream(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], open_paced))
