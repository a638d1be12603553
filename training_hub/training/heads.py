"""The losses that shape embedding and logits."""

import math

import torch


class SubCentreArcFace:
    """ArcFace with several centres per label.

    J. Deng et al., "ArcFace", CVPR 2019, and "Sub-center ArcFace", ECCV 2020; the fixed scale is AdaCos' initial one
    (X. Zhang et al., CVPR 2019). Several centres let one machine have several operating states.

    Args:
        labels: Number of labels.
        embedding: Size of the embedding.
        centres: Centres per label.
        margin: Angular margin, rad.
        generator: For the centres' first places.
        device: Where it lives.
    """

    def __init__(
        self,
        labels: int,
        embedding: int,
        *,
        generator: torch.Generator,
        device: torch.device,
        centres: int = 3,
        margin: float = 0.2,
    ) -> None:
        first = torch.randn(labels * centres, embedding, generator=generator)
        self.weight = torch.nn.Parameter(torch.nn.functional.normalize(first).to(device))
        self._shape = (labels, centres)
        self._scale = max(math.sqrt(2.0) * math.log(max(2, labels * centres - 1)), 4.0)
        self._margin = margin

    def loss(self, embeddings: torch.Tensor, labels: torch.Tensor, easing: float = 1.0) -> torch.Tensor:
        """Cross entropy `[n]` of the labels under the margin.

        Args:
            embeddings: `[n, size]`.
            labels: `[n]`.
            easing: Share of the margin, 0 to 1: one that grows lets a hard task begin.
        """
        margin = easing * self._margin
        normalize = torch.nn.functional.normalize
        cosine = (normalize(embeddings) @ normalize(self.weight).T).view(-1, *self._shape).amax(2)
        target = cosine.gather(1, labels[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        # past pi - margin the cosine would rise again; ArcFace's usual linear continuation
        shifted = torch.where(
            target > math.cos(math.pi - margin),
            torch.cos(torch.acos(target) + margin),
            target - math.sin(margin) * margin,
        )
        logits = self._scale * cosine.scatter(1, labels[:, None], shifted)
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none")


def known_loss(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Cross entropy `[n]` of the labels with label smoothing."""
    return torch.nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)


def unknown_loss(logits: torch.Tensor) -> torch.Tensor:
    """Cross entropy `[n]` against no label more than another: what is no known machine shall be called none.

    D. Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure", ICLR 2019.
    """
    return -torch.nn.functional.log_softmax(logits, 1).mean(1)
