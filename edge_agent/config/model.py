"""`[model]`: the bundle that listens."""

from pathlib import Path

from pydantic import Field

from edge_agent.inference.in_use import bundle_dir, read_in_use
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
        """Directory of the bundle in use: what came from the hub in place of the configured one, or that itself.

        Raises:
            BundleError: What is in use cannot be read.
        """
        in_use = read_in_use(state_dir)
        if in_use is not None and in_use.configured == self.bundle:
            return bundle_dir(state_dir, in_use.active.bundle.sha256)
        return self.configured_bundle(state_dir)

    def configured_bundle(self, state_dir: Path) -> Path:
        """Directory of the configured bundle: a path; a name in the state directory first, then as shipped."""
        if "/" in self.bundle:
            return Path(self.bundle)
        pulled = state_dir / "models" / self.bundle
        return pulled if pulled.is_dir() else resource(f"models/{self.bundle}")
