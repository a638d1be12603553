"""Training and conversion of the encoder and of machine types."""
