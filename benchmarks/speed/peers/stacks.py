"""What others run for the same job, each as its authors write it: warm, one thread, models loaded once.

A stack is a class: `__init__` imports and loads (timed apart), `clip` takes one recording of ten seconds to its score.
Weights are random: they cost the same. Nothing is written to disk but the JPEG, which is kept in memory.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import ClassVar

import numpy as np

RATE_HZ = 16_000


class LibrosaAutoencoder:
    """The DCASE baseline of task 2: librosa's log-mel, five frames stacked, a dense Keras autoencoder.

    https://github.com/y-kawagu/dcase2020_task2_baseline: 128 bands, 640 inputs, eight layers of 128 and a neck of 8.
    """

    name: ClassVar[str] = "librosa log-mel + Keras autoencoder"

    def __init__(self) -> None:
        import keras
        import librosa

        self._librosa = librosa
        layers = [keras.Input((640,))]
        for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
            layers += [keras.layers.Dense(width), keras.layers.BatchNormalization(), keras.layers.Activation("relu")]
        self._model = keras.Sequential([*layers, keras.layers.Dense(640)])

    def clip(self, path: Path) -> float:
        samples, rate_hz = self._librosa.load(path, sr=None, mono=True)
        power = self._librosa.feature.melspectrogram(
            y=samples, sr=rate_hz, n_fft=1024, hop_length=512, n_mels=128, power=2.0
        )
        log_mel = 20.0 / 2.0 * np.log10(np.maximum(power, np.finfo(float).eps))
        count = log_mel.shape[1] - 4
        vectors = np.zeros((count, 640))
        for frame in range(5):
            vectors[:, 128 * frame : 128 * (frame + 1)] = log_mel[:, frame : frame + count].T
        return float(np.mean(np.square(vectors - self._model.predict(vectors, verbose=0))))


class LibrosaTrees:
    """Sixty-four numbers a clip (MFCC, chroma, centroid, bandwidth, roll-off, flatness, crossings, level) and trees."""

    name: ClassVar[str] = "librosa 64 features + boosted trees"

    def __init__(self) -> None:
        import librosa
        from sklearn.ensemble import GradientBoostingClassifier

        self._librosa = librosa
        rng = np.random.default_rng(0)
        self._trees = GradientBoostingClassifier(n_estimators=100).fit(
            rng.normal(size=(80, 64)), rng.integers(0, 2, 80)
        )

    def clip(self, path: Path) -> float:
        feature = self._librosa.feature
        samples, rate_hz = self._librosa.load(path, sr=None)
        values = []
        mfcc = feature.mfcc(y=samples, sr=rate_hz, n_mfcc=20)
        values += [*mfcc.mean(axis=1), *mfcc.std(axis=1), *feature.chroma_stft(y=samples, sr=rate_hz).mean(axis=1)]
        for row in (
            feature.spectral_centroid(y=samples, sr=rate_hz),
            feature.spectral_bandwidth(y=samples, sr=rate_hz),
            feature.spectral_rolloff(y=samples, sr=rate_hz),
            feature.spectral_flatness(y=samples),
            feature.zero_crossing_rate(samples),
            feature.rms(y=samples),
        ):
            values += [row.mean(), row.std()]
        return float(self._trees.predict_proba(np.array(values)[None])[0, 1])


class MfccConv1d:
    """Forty MFCC a frame at librosa's own rate, and a small convolutional Keras net along time."""

    name: ClassVar[str] = "MFCC-40 + Keras Conv1D"

    def __init__(self) -> None:
        import keras
        import librosa

        self._librosa = librosa
        self._model = keras.Sequential(
            [
                keras.Input((None, 40)),
                keras.layers.Conv1D(64, 5, activation="relu"),
                keras.layers.MaxPooling1D(2),
                keras.layers.Conv1D(128, 5, activation="relu"),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )

    def clip(self, path: Path) -> float:
        samples, rate_hz = self._librosa.load(path)
        mfcc = self._librosa.feature.mfcc(y=samples, sr=rate_hz, n_mfcc=40).T
        return float(self._model.predict(mfcc[None], verbose=0)[0, 0])


class MelJpegCnn:
    """The mel spectrogram as a JPEG of 224 x 224 pixels, and a Keras image net (MobileNetV2) on it."""

    name: ClassVar[str] = "mel JPEG 224 x 224 + Keras MobileNetV2"

    def __init__(self) -> None:
        import keras
        import librosa
        from PIL import Image

        self._librosa, self._image = librosa, Image
        self._model = keras.applications.MobileNetV2(weights=None, classes=2, input_shape=(224, 224, 3))

    def clip(self, path: Path) -> float:
        samples, rate_hz = self._librosa.load(path, sr=None)
        power = self._librosa.feature.melspectrogram(y=samples, sr=rate_hz, n_mels=128)
        level_db = self._librosa.power_to_db(power, ref=np.max)
        grey = np.uint8(255 * (level_db - level_db.min()) / max(1e-9, float(np.ptp(level_db))))
        jpeg = io.BytesIO()
        self._image.fromarray(grey).resize((224, 224)).convert("RGB").save(jpeg, "JPEG")
        pixels = np.asarray(self._image.open(io.BytesIO(jpeg.getvalue())), np.float32)[None] / 127.5 - 1.0
        return float(self._model.predict(pixels, verbose=0)[0, 1])


class CallbackLibrosaTflite:
    """A sounddevice callback's 16-bit blocks, librosa per window, the TFLite interpreter patch by patch.

    With our own int8 encoder and the newer runtime, which favours it: with tflite-runtime 2.14 the model takes several
    times as long.
    """

    name: ClassVar[str] = "sounddevice + librosa + tflite"

    def __init__(self) -> None:
        import librosa
        import soundfile
        from ai_edge_litert.interpreter import Interpreter

        self._librosa, self._soundfile = librosa, soundfile
        model = Path(__file__).parents[3] / "models" / "default" / "encoder.tflite"
        self._interpreter = Interpreter(model_path=str(model), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def clip(self, path: Path) -> float:
        blocks = []  # what the callback was given
        for block in self._soundfile.blocks(path, blocksize=1_600, dtype="int16"):
            blocks.append(block.astype(np.float32) / 32_768)
        power = self._librosa.feature.melspectrogram(
            y=np.concatenate(blocks), sr=RATE_HZ, n_fft=1024, hop_length=512, n_mels=128, center=False
        )
        log_mel = self._librosa.power_to_db(power).T
        scale, zero = self._input["quantization"]
        found = []
        for first in range(0, len(log_mel) - 64 + 1, 32):
            patch = log_mel[first : first + 64]
            values = np.clip(np.round((patch - patch.mean()) / 10.0 / scale + zero), -128, 127).astype(np.int8)
            self._interpreter.set_tensor(self._input["index"], values.reshape(self._input["shape"]))
            self._interpreter.invoke()
            found.append(self._interpreter.get_tensor(self._output["index"]).copy())
        return float(np.std(found))


STACKS = {
    kind.__name__: kind for kind in (LibrosaAutoencoder, LibrosaTrees, MfccConv1d, MelJpegCnn, CallbackLibrosaTflite)
}


def one_thread_each() -> None:
    """Before anything is imported."""
    os.environ.update(
        {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "NUMBA_NUM_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "KERAS_BACKEND": "tensorflow",
            "CUDA_VISIBLE_DEVICES": "",
        }
    )
