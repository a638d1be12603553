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
    usual_scatter: ClassVar[float] = 0.15
    statistic = staticmethod(statistics.texture)

    @classmethod
    def measure(cls, window: WindowFeatures) -> FloatArray:
        """From the coarse bands, which another detector looks at too."""
        return statistics.texture_of(window.measured(statistics.coarse))

    @staticmethod
    def kept_dimensions(kept: FloatArray) -> FloatArray:
        """Means over the mel bands of each coarse band."""
        return statistics.coarse_means(kept)

    @staticmethod
    def per_band(parts: FloatArray) -> FloatArray:
        """A coarse band's part, spread over its mel bands."""
        return statistics.spread_to_bands(parts)
