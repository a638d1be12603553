"""A simulated pump fails before your eyes: the real agent, broker and metrics on this computer, for a minute.

Only the pump is simulated. It shows how the parts play together, never how well faults of real machines are found.
"""
