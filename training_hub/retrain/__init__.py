"""Retraining: from the catalogue's clips to a new bundle, its figures, and whether it may follow the one in use."""
