"""Bundles, verification, the TFLite runtime and the encoder."""
