"""The hub: clips come in, models are trained, evaluated and rolled out."""
