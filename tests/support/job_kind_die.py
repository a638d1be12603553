"""The kind `die`, in a process of its own."""

from tests.support.job_kinds import die as run

KIND = "die"
OWN_PROCESS = True

__all__ = ["KIND", "OWN_PROCESS", "run"]
