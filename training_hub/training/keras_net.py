"""The encoder in Keras 3, for saving and conversion."""

import keras

from training_hub.training.architecture import Architecture

BATCH_NORM_EPSILON = 1e-3


def build_keras_net(architecture: Architecture, labels: int) -> keras.Model:
    """The net with weights in the order of `TorchNet.keras_weights`.

    Args:
        architecture: What to build.
        labels: Number of logits.

    Returns:
        A model `[n, frames, bands, 1]` -> (`embedding` `[n, 128]`, `logits` `[n, labels]`).
    """
    layers = keras.layers
    inputs = keras.Input((architecture.frames, architecture.bands, 1), name="patch")

    def norm(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.ReLU()(layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON)(x))

    options = {"padding": "same", "use_bias": False}
    x = norm(layers.Conv2D(architecture.stem_channels, architecture.stem_kernel, strides=2, **options)(inputs))
    for block in architecture.blocks:
        x = norm(layers.DepthwiseConv2D(block.kernel, strides=block.stride, **options)(x))
        x = norm(layers.Conv2D(block.channels, 1, **options)(x))
    frames, _ = architecture.reduced
    pooled = [layers.AveragePooling2D((frames, 1))(x), layers.MaxPooling2D((frames, 1))(x)]
    flat = layers.Flatten()(layers.Concatenate()(pooled))
    embedding = layers.Dense(architecture.embedding, name="embedding")(flat)
    logits = layers.Dense(labels, name="logits")(embedding)
    return keras.Model(inputs, {"embedding": embedding, "logits": logits})
