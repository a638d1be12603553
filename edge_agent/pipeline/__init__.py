"""One path from samples to verdicts, for live sources and replay alike."""
