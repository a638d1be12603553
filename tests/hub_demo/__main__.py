"""`python -m tests.hub_demo [--pictures DIR]`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.hub_demo.processes import DemoError
from tests.hub_demo.story import Story


def main() -> int:
    """Play the demo; 1 where a step fails, with the logs."""
    parser = argparse.ArgumentParser(description="The hub and two gateways once round, with a browser.")
    parser.add_argument("--pictures", type=Path, default=Path("build/hub-demo"), help="where pictures of pages go")
    options = parser.parse_args()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as directory:
        try:
            story = Story(
                Path(directory),
                lambda text: print(f"{time.monotonic() - began_s:5.0f} s  {text}", flush=True),
                options.pictures,
            )
            story.run()
        except DemoError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"pictures of the pages: {options.pictures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
