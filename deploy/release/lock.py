"""Writes the locks: every package that a gateway installs, pinned, with the SHA-256 of each wheel that may be taken.

    python -m deploy.release.lock            # asks the package index; after a change of constraints.txt
    python -m deploy.release.lock --check    # asks nobody: do they agree with constraints.txt and pyproject.toml?

`agent.lock` is for a gateway with a hub, `base.lock` for one without. Install with one, hashes checked by pip:
pip install --require-hashes -r deploy/release/agent.lock
"""

import argparse
import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from deploy.release.targets import CONSTRAINTS, EXTRAS, TARGETS, Target, pinned, pip, requirements

_HEAD = """\
# Every package of a gateway {gateway}, with the hashes of its wheels for {targets}.
# Generated: python -m deploy.release.lock        Use: pip install --require-hashes -r deploy/release/{name}
"""


def resolve(target: Target, extras: Iterable[str]) -> dict[tuple[str, str], str]:
    """What pip would install there: name and version to the wheel's SHA-256."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        pip(
            "install", "--dry-run", "--ignore-installed", "--report", str(report), "--target", f"{scratch}/none",
            *target.words, "-c", str(CONSTRAINTS), *requirements(*extras),
        )  # fmt: skip
        found = json.loads(report.read_text())["install"]
    return {
        (item["metadata"]["name"], item["metadata"]["version"]): item["download_info"]["archive_info"]["hashes"][
            "sha256"
        ]
        for item in found
    }


def render(path: Path) -> str:
    """A lock, from the package index."""
    extras = EXTRAS[path]
    hashes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for target in TARGETS:
        for package, sha256 in resolve(target, extras).items():
            hashes[package].add(sha256)
        print(f"{path.name}: {target}", file=sys.stderr)
    lines = [head(path)]
    for (name, version), known in sorted(hashes.items(), key=lambda item: item[0][0].lower()):
        lines.append(" \\\n".join([f"{name}=={version}", *(f"    --hash=sha256:{sha256}" for sha256 in sorted(known))]))
    return "\n".join(lines) + "\n"


def head(path: Path) -> str:
    """What stands above a lock."""
    extras = "with a hub (the base install and the extra `sync`)" if EXTRAS[path] else "without a hub"
    return _HEAD.format(gateway=extras, targets="; ".join(map(str, TARGETS)), name=path.name)


def flaws(path: Path, extras: Iterable[str]) -> list[str]:
    """Where a lock does not agree with constraints.txt and pyproject.toml.

    Args:
        path: The lock.
        extras: What it holds besides the base install.
    """
    locked, constrained = dict(pinned(path)), dict(pinned(CONSTRAINTS))
    found = [
        f"{name}=={version} in {path.name}, {constrained.get(name, 'nothing')} in {CONSTRAINTS.name}"
        for name, version in locked.items()
        if constrained.get(name) != version
    ]
    wanted = {_name(requirement): requirement for requirement in requirements(*extras)}
    found += [f"{wanted[name]!r} of pyproject.toml is not in {path.name}" for name in wanted if name not in locked]
    others = {_name(requirement) for requirement in requirements("sync")} - wanted.keys()
    return found + [f"{name} is in {path.name}, and only an extra asks for it" for name in others & locked.keys()]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def main() -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with constraints.txt and pyproject.toml only")
    if parser.parse_args().check:
        found = [flaw for path, extras in EXTRAS.items() for flaw in flaws(path, extras)]
        for flaw in found:
            print(f"{flaw}; run python -m deploy.release.lock", file=sys.stderr)
        return int(bool(found))
    for path in EXTRAS:
        path.write_text(render(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
