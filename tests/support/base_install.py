"""A Python that sees what `pip install .` brings and nothing else: no extra, no tool of the tests."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.bench.installed import distributions
from tests.support.agent import ROOT, Done


@dataclass(frozen=True)
class BaseInstall:
    """The Python, and the directory in which commands are run."""

    python: Path
    directory: Path

    def __call__(self, *words: str | Path, status: int | None = None) -> Done:
        """Run an `edge-agent` command."""
        done = self.python_runs("-m", "edge_agent", *words)
        if status is not None:
            assert done.status == status, done.err
        return done

    def python_runs(self, *words: str | Path) -> Done:
        """Run the Python."""
        done = subprocess.run(
            [self.python, *words],
            cwd=self.directory,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.directory), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def base_install(tmp_path_factory: pytest.TempPathFactory) -> BaseInstall:
    """Made of links to what is installed here: as pip would lay it out, in a moment."""
    root = tmp_path_factory.mktemp("base")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "env"], check=True)
    packages = next((root / "env" / "lib").glob("python*/site-packages"))
    asked_for = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found = distributions(asked_for)
    assert {"numpy", "ai-edge-litert", "starlette"} <= found.keys()
    for distribution in found.values():
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            link = packages / name
            if not link.exists():
                link.symlink_to(str(distribution.locate_file(name)))
    for name in ("edge_agent", "training_hub", "models", "config", "deploy"):
        (packages / name).symlink_to(ROOT / name)
    return BaseInstall(root / "env" / "bin" / "python", root)
