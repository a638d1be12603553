"""Trains and measures the detector that keeps speech off the disk. Every voice here is synthetic."""
