"""The hub: its thread, what is told and sent, and the bundles that come back."""
