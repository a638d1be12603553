"""Writes `docs/reference/hub-openapi.json`: the API as OpenAPI 3.1, for clients without a hub at hand.

`python -m training_hub.api.generate` writes the file, with `--check` it only compares it and exits 1 with a diff.
"""

import json
import sys
import tempfile
from pathlib import Path

from edge_agent.settings.documents import write_or_compare
from training_hub.api.app import make_app
from training_hub.config.server import ServerSection
from training_hub.config.settings import HubSettings
from training_hub.opening import open_parts

DOCUMENT = "docs/reference/hub-openapi.json"


def openapi_text() -> str:
    """The document."""
    with tempfile.TemporaryDirectory() as directory:
        settings = HubSettings(server=ServerSection(state_dir=Path(directory)))
        with open_parts(settings, {}) as parts:
            return json.dumps(make_app(parts).openapi(), indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or compare the file; returns the exit status."""
    return write_or_compare({DOCUMENT: openapi_text()}, (__doc__ or "").splitlines()[0], arguments)


if __name__ == "__main__":
    sys.exit(main())
