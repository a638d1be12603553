"""D5: how the sound fluctuates from frame to frame."""

from typing import ClassVar

from edge_agent.detection import statistics
from edge_agent.detection.detector import FloatArray
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.gaussian import GaussianDetector


class TextureDetector(GaussianDetector):
    """Distance of the fluctuation of coarse bands from the machine's own: rattle, chatter, knocking, roughness."""

    name: ClassVar[str] = "texture"
    dimensions: ClassVar[int] = statistics.COARSE_BANDS
    min_frames: ClassVar[int] = 8
    aligns_level: ClassVar[bool] = False
    statistic = staticmethod(statistics.texture)

    def contributions(self, window: WindowFeatures) -> FloatArray | None:
        """Share of each mel band in `score`, `[128]`: a coarse band's share is spread over its mel bands."""
        if window.frames < self.min_frames:
            return None
        return statistics.spread_to_bands(self.dimension_contributions(window))
