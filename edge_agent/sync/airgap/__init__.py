"""Clips and events on a USB stick, where no network leads to the hub: signed, whole, and receipted."""
