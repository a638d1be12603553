"""The kind `wait`, in a process of its own."""

from tests.support.job_kinds import wait as run

KIND = "wait"
OWN_PROCESS = True

__all__ = ["KIND", "OWN_PROCESS", "run"]
