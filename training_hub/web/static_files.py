"""Scripts, styles and vendored libraries, under an address that changes with their content."""

import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC_DIR = Path(__file__).parent / "static"


def digest_of(directory: Path) -> str:
    """Twelve digits that change whenever any file below the directory does."""
    found = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            found.update(str(path.relative_to(directory)).encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


class ImmutableFiles(StaticFiles):
    """Files that a browser may keep for ever: another content has another address.

    The digest stands in the path, not in a query, so that modules which import each other by relative names are fetched
    in matching versions.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        """As the base has it, with how long it may be kept."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
