"""Hears speech in log-mel frames, so that none of it is kept. Pure: arrays in, probabilities out."""
