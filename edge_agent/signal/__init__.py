"""Data manipulation: resampling, streaming log-mel, levels, windows. Arrays in, arrays out."""
