"""`[model]`: the bundle that listens."""

from pathlib import Path

from pydantic import Field

from edge_agent.resources import resource
from edge_agent.settings.base import Section


class ModelSection(Section):
    """The bundle that listens."""

    bundle: str = Field(
        default="default",
        min_length=1,
        max_length=4096,
        description="Name of a shipped or pulled bundle, or the path of a bundle's directory (with a slash).",
    )

    def resolve_bundle(self, state_dir: Path) -> Path:
        """Directory of the bundle: a path as it stands; a name in the state directory first, then as shipped."""
        if "/" in self.bundle:
            return Path(self.bundle)
        pulled = state_dir / "models" / self.bundle
        return pulled if pulled.is_dir() else resource(f"models/{self.bundle}")
