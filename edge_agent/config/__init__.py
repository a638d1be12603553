"""Settings of the agent: one strict section per file."""
