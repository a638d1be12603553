"""Metrics, health and log."""
