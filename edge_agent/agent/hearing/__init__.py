"""From sources and recordings to heard windows, every sample in the books."""
