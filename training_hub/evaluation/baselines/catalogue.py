"""All baselines. Modules that need an extra are imported when a scorer is made, so that the rest runs without it."""

from pathlib import Path

from training_hub.evaluation.scorer import Family, Scorer, System


def baselines(peer: Path | None = None) -> tuple[System, ...]:
    """Every baseline, whether its modules are installed or not.

    Args:
        peer: MLPerf Tiny's `.tflite` file; left out where None.
    """
    sklearn, torch = ("sklearn",), ("torch",)
    found = [
        System("loudness", "loudness alone", Family.NORMALS, _loudness),
        System(
            "lw_shared",
            "Mahalanobis, mean log-mel, plain Ledoit-Wolf precision of the type's other machines",
            Family.OTHER_MACHINES,
            lambda: _ledoit_wolf(shared=True),
            sklearn,
        ),
        System(
            "lw_own",
            "Mahalanobis, mean log-mel, plain Ledoit-Wolf precision of its own clips",
            Family.NORMALS,
            lambda: _ledoit_wolf(shared=False),
            sklearn,
        ),
        System("gmm", "diagonal Gaussian mixture, mean log-mel", Family.NORMALS, _gmm, sklearn),
        System(
            "ocsvm",
            "one-class SVM on PCA of mean log-mel",
            Family.NORMALS,
            lambda: _outlier("svm", "spectrum"),
            sklearn,
        ),
        System("lof", "LOF on PCA of mean log-mel", Family.NORMALS, lambda: _outlier("lof", "spectrum"), sklearn),
        System(
            "ocsvm_emb",
            "one-class SVM on PCA of embeddings",
            Family.NORMALS,
            lambda: _outlier("svm", "embedding"),
            sklearn,
        ),
        System("lof_emb", "LOF on PCA of embeddings", Family.NORMALS, lambda: _outlier("lof", "embedding"), sklearn),
        System("knn", "nearest neighbour, mean log-mel, cosine", Family.NORMALS, lambda: _nearest("spectrum")),
        System("knn_emb", "nearest neighbour, embeddings, cosine", Family.NORMALS, lambda: _nearest("embedding")),
        System(
            "autoencoder",
            "DCASE autoencoder 640-128-128-128-128-8-..., float, others then own clips",
            Family.OTHER_MACHINES,
            _autoencoder,
            torch,
            slow=True,
        ),
        System(
            "softmax_cnn", "CNN on machine ids, softmax confidence", Family.OTHER_MACHINES, _softmax, torch, slow=True
        ),
        System("mfcc_cnn", "MFCC-40 Conv1D CNN", Family.SUPERVISED, _mfcc, torch, slow=True),
        System(
            "boosted",
            "boosted trees, 64 librosa features",
            Family.SUPERVISED,
            _boosted,
            ("xgboost", "librosa"),
            slow=True,
            needs_audio=True,
        ),
    ]
    if peer is not None:
        title = f"MLPerf Tiny autoencoder, int8 ({peer.name}), trained on all ids"
        found.append(System("peer_ae_int8", title, Family.OTHER_MACHINES, lambda: _peer(peer)))
    return tuple(found)


def _loudness() -> Scorer:
    from training_hub.evaluation.baselines.loudness import LoudnessScorer  # noqa: PLC0415  # see the module's docstring

    return LoudnessScorer()


def _ledoit_wolf(*, shared: bool) -> Scorer:
    from training_hub.evaluation.baselines.mahalanobis import LedoitWolfScorer  # noqa: PLC0415

    return LedoitWolfScorer(shared=shared)


def _gmm() -> Scorer:
    from training_hub.evaluation.baselines.gmm import GaussianMixtureScorer  # noqa: PLC0415

    return GaussianMixtureScorer()


def _outlier(model: str, feature: str) -> Scorer:
    from training_hub.evaluation.baselines import one_class  # noqa: PLC0415
    from training_hub.evaluation.baselines.features import mean_embedding, mean_log_mel  # noqa: PLC0415

    make = one_class.one_class_svm if model == "svm" else one_class.local_outlier_factor
    return one_class.PrincipalOutlierScorer(mean_embedding if feature == "embedding" else mean_log_mel, make)


def _nearest(feature: str) -> Scorer:
    from training_hub.evaluation.baselines.features import mean_embedding, mean_log_mel  # noqa: PLC0415
    from training_hub.evaluation.baselines.nearest import NearestNeighbourScorer  # noqa: PLC0415

    return NearestNeighbourScorer(mean_embedding if feature == "embedding" else mean_log_mel)


def _autoencoder() -> Scorer:
    from training_hub.evaluation.baselines.autoencoder import AutoencoderScorer  # noqa: PLC0415

    return AutoencoderScorer()


def _softmax() -> Scorer:
    from training_hub.evaluation.baselines.softmax_cnn import SoftmaxConfidenceScorer  # noqa: PLC0415

    return SoftmaxConfidenceScorer()


def _mfcc() -> Scorer:
    from training_hub.evaluation.baselines.mfcc_cnn import MfccNetScorer  # noqa: PLC0415

    return MfccNetScorer()


def _boosted() -> Scorer:
    from training_hub.evaluation.baselines.boosted import BoostedTreesScorer  # noqa: PLC0415

    return BoostedTreesScorer()


def _peer(path: Path) -> Scorer:
    from training_hub.evaluation.baselines.peer_autoencoder import PeerAutoencoderScorer  # noqa: PLC0415

    return PeerAutoencoderScorer(path)
