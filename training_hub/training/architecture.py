"""The encoder's architecture as data: built in PyTorch for training and in Keras for conversion.

A depthwise-separable net (A. Howard et al., "MobileNets", arXiv:1704.04861) over one log-mel patch. The frequency axis
is never averaged away: a machine's anomaly sits at a place on it. At the end time is reduced by mean and by maximum (a
click is one frame), and one dense layer reads all that is left.

PyTorch trains such a net 2.6 times as fast as Keras on the same backend (95 ms against 250 ms a step of 128 patches on
two cores), hence two builders; a test holds them to the same outputs. Strided kernels are even, because there alone
`same` padding means the same in both.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A depthwise 3x3 (4x4 where strided) and a pointwise convolution, each with batch norm and ReLU."""

    channels: int
    stride: int = 1

    @property
    def kernel(self) -> int:
        """Side of the depthwise kernel."""
        return 3 if self.stride == 1 else 4


@dataclass(frozen=True)
class Architecture:
    """Widths and strides.

    Attributes:
        frames: Frames of a patch.
        bands: Mel bands.
        stem_channels: Channels of the first convolution, which halves both axes.
        stem_kernel: Its kernel's side, even.
        blocks: What follows it.
        embedding: Size of the embedding.
    """

    frames: int = 64
    bands: int = 128
    stem_channels: int = 24
    stem_kernel: int = 6
    blocks: tuple[Block, ...] = (
        Block(48, 2),
        Block(64),
        Block(64),
        Block(96, 2),
        Block(128),
        Block(64),
    )
    embedding: int = 128

    @property
    def reduced(self) -> tuple[int, int]:
        """Frames and bands that are left before pooling."""
        factor = 2
        for block in self.blocks:
            factor *= block.stride
        return self.frames // factor, self.bands // factor

    @property
    def flat(self) -> int:
        """Values that the embedding layer reads: mean and maximum over time of every channel and band."""
        return 2 * self.blocks[-1].channels * self.reduced[1]

    def parameters(self, labels: int) -> int:
        """Weights and biases after batch norm is folded, for a net with `labels` logits."""
        total = self.stem_kernel**2 * self.stem_channels + self.stem_channels
        channels = self.stem_channels
        for block in self.blocks:
            total += block.kernel**2 * channels + channels + channels * block.channels + block.channels
            channels = block.channels
        return total + self.flat * self.embedding + self.embedding + self.embedding * labels + labels

    def macs(self, labels: int) -> int:
        """Multiply-accumulates of one patch.

        >>> Architecture().macs(labels=100) < 12_000_000
        True
        """
        positions = self.frames * self.bands // 4
        total = positions * self.stem_kernel**2 * self.stem_channels
        channels = self.stem_channels
        for block in self.blocks:
            positions //= block.stride**2
            total += positions * channels * (block.kernel**2 + block.channels)
            channels = block.channels
        return total + self.flat * self.embedding + self.embedding * labels
