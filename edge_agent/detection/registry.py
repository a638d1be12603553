"""The detectors that there are: fusion, profiles and the contract tests go through this list."""

from collections.abc import Mapping
from types import MappingProxyType

from edge_agent.detection.detector import Detector
from edge_agent.detection.embedding import EmbeddingDetector
from edge_agent.detection.floor import FloorDetector
from edge_agent.detection.reconstruction import ReconstructionDetector
from edge_agent.detection.relief import ReliefDetector
from edge_agent.detection.shape import ShapeDetector
from edge_agent.detection.texture import TextureDetector
from edge_agent.detection.transient import TransientDetector

DETECTORS: Mapping[str, type[Detector]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            ShapeDetector,
            TransientDetector,
            EmbeddingDetector,
            TextureDetector,
            FloorDetector,
            ReliefDetector,
            ReconstructionDetector,
        )
    }
)
