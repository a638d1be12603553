"""`edge-agent devices`."""

import argparse
import sys

from edge_agent.capture.devices import list_devices


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments (there are none)."""
    parser.set_defaults()


def run(arguments: argparse.Namespace) -> int:
    """List every input: the token to paste into `source.device`, channels and preferred rate."""
    del arguments
    devices = list_devices()
    if not devices:
        print("no input device; is a microphone plugged in, and is the user in the group audio?", file=sys.stderr)
        return 1
    width = max(len(device.token) for device in devices)
    print(f"{'device':<{width}}  channels  rate_hz")
    for device in devices:
        print(f"{device.token:<{width}}  {device.channels:>8}  {device.default_rate_hz:>7}")
    return 0
