"""Log-mel frames of catalogued clips in Parquet: computed once, found by the hash of the clip."""
