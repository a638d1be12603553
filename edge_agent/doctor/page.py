"""The examination for people, and for programs."""

import json
from dataclasses import asdict

from edge_agent.doctor.finding import Finding, State, worst

_MARK = {State.OK: "ok  ", State.WARN: "WARN", State.FAIL: "FAIL"}


def as_text(findings: tuple[Finding, ...]) -> str:
    """One page: a line for each finding, and below it what to do.

    >>> print(as_text((Finding("disk", State.WARN, "10 MB free", "make room"),)))
    WARN  disk  10 MB free
                -> make room
    1 to look at, nothing fails
    """
    width = max((len(finding.topic) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{_MARK[finding.state]}  {finding.topic:<{width}}  {finding.summary}")
        if finding.mend:
            lines.append(f"{'':<{width + 8}}-> {finding.mend}")
    fails = sum(finding.state is State.FAIL for finding in findings)
    warns = sum(finding.state is State.WARN for finding in findings)
    said = f"{fails} must be mended" if fails else "nothing fails"
    return "\n".join([*lines, f"{warns} to look at, {said}" if fails or warns else "all is well"])


def as_json(findings: tuple[Finding, ...]) -> str:
    """`{"state": ..., "findings": [{"topic", "state", "summary", "mend"}]}`."""
    return json.dumps({"state": worst(findings), "findings": [asdict(finding) for finding in findings]}, indent=2)
