"""Takes the pictures of `docs/hub/` from a seeded hub: `python -m tools.hub_pictures`."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
_COLOURS = 128


def main() -> int:
    """Take them all."""
    from tests.support.hub_site import hub_site  # noqa: PLC0415  # the tests' own catalogue

    target = ROOT / "docs" / "hub"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, hub_site(Path(directory)) as site:
        assert site.seeded is not None
        shots = {
            "clips": "/clips",
            "compare": "/compare",
            "machine": f"/machines/{site.seeded.machines['fan_3']}",
            "map": "/map",
            "rollouts": "/rollouts",
        }
        for name, path in shots.items():
            with site.browser() as page:
                page.goto(f"{site.url}{path}")
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(1500)
                picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(target / f"{name}.png", optimize=True)
                print(target / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
