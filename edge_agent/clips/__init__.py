"""Kept sound: which windows are worth keeping, how they lie on the disk, and that no speech does."""
