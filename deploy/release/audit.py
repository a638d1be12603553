"""Asks the Python Packaging Advisory Database about every package of the lock.

    python -m deploy.release.audit       # 0 nothing known, 1 vulnerable, 3 could not be asked about every package

A package that could not be looked up is named: silence is no clean bill.
"""

import json
import subprocess
import sys

from deploy.release.targets import LOCK

EXIT_UNKNOWN = 3


def main() -> int:
    """Ask and print; the exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip",
         "--format", "json", "--progress-spinner", "off", "--timeout", "30"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"the advisory database cannot be asked: {done.stderr[-300:]}", file=sys.stderr)
        return EXIT_UNKNOWN
    flaws = [(package, flaw) for package in packages for flaw in package.get("vulns", ())]
    for package, flaw in flaws:
        mend = ", ".join(flaw["fix_versions"]) or "none yet"
        print(f"{package['name']} {package['version']}: {flaw['id']}, mended in {mend}")
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    print(f"{len(packages) - len(skipped)} packages asked about, {len(flaws)} known vulnerabilities")
    if skipped:
        print(f"not known to the database here: {', '.join(skipped)}", file=sys.stderr)
    return 1 if flaws else EXIT_UNKNOWN if skipped or not packages else 0


if __name__ == "__main__":
    sys.exit(main())
