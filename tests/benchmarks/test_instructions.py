"""Counting instructions: a program that does more of the same counts for more, to the instruction nearly."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.speed.instructions import CallgrindError, Count, count

needs_valgrind = pytest.mark.skipif(
    shutil.which("valgrind") is None and not os.environ.get("CI"), reason="valgrind is not installed"
)


def _program(times: int) -> list[str]:
    return [sys.executable, "-S", "-c", f"for _ in range({times}): pass"]


@needs_valgrind
def test_start_and_work_are_told_apart(tmp_path: Path) -> None:
    few, many, most = (count(_program(times), tmp_path) for times in (10_000, 210_000, 410_000))
    first, second = Count.of(few, many, 10_000, 210_000), Count.of(many, most, 210_000, 410_000)
    assert first.per_second == pytest.approx(second.per_second, rel=0.05)
    assert 1 < first.per_second < 1000
    assert first.start == pytest.approx(few, rel=0.2)


@needs_valgrind
def test_a_program_that_fails_counts_for_nothing(tmp_path: Path) -> None:
    with pytest.raises(CallgrindError, match="status 3"):
        count([sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"], tmp_path)
