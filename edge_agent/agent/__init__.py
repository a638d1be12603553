"""Live sources and recordings through the pipeline: what the daemon and the offline commands tie together."""
