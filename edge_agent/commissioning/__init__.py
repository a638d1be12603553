"""Commissioning live: from what a channel hears to a profile, step by step, while the agent runs or without it."""
