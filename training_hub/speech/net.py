"""The speech detector's net in Keras 3: small enough for a gateway to run it on every clip it keeps."""

import keras

from edge_agent.speech.features import PATCH_FRAMES

_STEM = 16
_BLOCKS = ((24, 2), (32, 1), (32, 2), (48, 1), (48, 1))


def build_net(bands: int = 128) -> keras.Model:
    """Depthwise-separable convolutions after A. Howard et al., "MobileNets" (2017), some 12,000 weights.

    Returns:
        A model `[n, 64, bands, 1]` -> `[n, 1]`, the logit of speech.
    """
    layers = keras.layers
    options = {"padding": "same", "use_bias": False}

    def norm(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.ReLU(6.0)(layers.BatchNormalization(epsilon=1e-3)(x))

    inputs = keras.Input((PATCH_FRAMES, bands, 1), name="patch")
    # pitch and formants lie along bands, syllables along frames: fine in time (3 x 32 ms), coarser in frequency
    x = norm(layers.Conv2D(_STEM, (3, 7), strides=(1, 4), **options)(inputs))
    for channels, stride in _BLOCKS:
        x = norm(layers.DepthwiseConv2D((5, 3), strides=stride, **options)(x))
        x = norm(layers.Conv2D(channels, 1, **options)(x))
    pooled = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    return keras.Model(inputs, layers.Dense(1, name="speech")(layers.Dropout(0.2)(pooled)))
