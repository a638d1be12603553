"""Settings of the hub: one strict section per file."""
