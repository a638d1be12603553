"""Writes `agent.lock`: every package that a gateway installs, pinned, with the SHA-256 of each wheel that may be taken.

    python -m deploy.release.lock            # asks the package index; after a change of constraints.txt
    python -m deploy.release.lock --check    # asks nobody: does the lock agree with constraints.txt and pyproject.toml?

Install with it, hashes checked by pip: pip install --require-hashes -r deploy/release/agent.lock
"""

import argparse
import json
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from deploy.release.targets import CONSTRAINTS, LOCK, TARGETS, Target, pinned, pip, requirements

_HEAD = """\
# Every package of the agent's base install, with the hashes of its wheels for {targets}.
# Generated: python -m deploy.release.lock        Use: pip install --require-hashes -r deploy/release/agent.lock
"""


def resolve(target: Target) -> dict[tuple[str, str], str]:
    """What pip would install there: name and version to the wheel's SHA-256."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        pip(
            "install", "--dry-run", "--ignore-installed", "--report", str(report), "--target", f"{scratch}/none",
            *target.words, "-c", str(CONSTRAINTS), *requirements(),
        )  # fmt: skip
        found = json.loads(report.read_text())["install"]
    return {
        (item["metadata"]["name"], item["metadata"]["version"]): item["download_info"]["archive_info"]["hashes"][
            "sha256"
        ]
        for item in found
    }


def render() -> str:
    """The lock, from the package index."""
    hashes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for target in TARGETS:
        for package, sha256 in resolve(target).items():
            hashes[package].add(sha256)
        print(target, file=sys.stderr)
    lines = [_HEAD.format(targets="; ".join(map(str, TARGETS)))]
    for (name, version), known in sorted(hashes.items(), key=lambda item: item[0][0].lower()):
        lines.append(" \\\n".join([f"{name}=={version}", *(f"    --hash=sha256:{sha256}" for sha256 in sorted(known))]))
    return "\n".join(lines) + "\n"


def flaws() -> list[str]:
    """Where the lock does not agree with constraints.txt and pyproject.toml."""
    locked, constrained = dict(pinned(LOCK)), dict(pinned(CONSTRAINTS))
    found = [
        f"{name}=={version} in {LOCK.name}, {constrained.get(name, 'nothing')} in {CONSTRAINTS.name}"
        for name, version in locked.items()
        if constrained.get(name) != version
    ]
    for requirement in requirements():
        name = re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
        if name not in locked:
            found.append(f"{requirement!r} of pyproject.toml is not in {LOCK.name}")
    return found


def main() -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with constraints.txt and pyproject.toml only")
    if parser.parse_args().check:
        for flaw in flaws():
            print(f"{flaw}; run python -m deploy.release.lock", file=sys.stderr)
        return int(bool(flaws()))
    LOCK.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
