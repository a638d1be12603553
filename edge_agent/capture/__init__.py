"""Data acquisition: sources, sample clock, ledger."""
