"""The kind `deaf`, in a process of its own."""

from tests.support.job_kinds import deaf as run

KIND = "deaf"
OWN_PROCESS = True

__all__ = ["KIND", "OWN_PROCESS", "run"]
