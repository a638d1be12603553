"""The report as text, as wide as a terminal."""

from collections.abc import Sequence
from typing import TextIO

from training_hub.evaluation.report import Figure, Report, Row, TargetLine


def print_report(report: Report, out: TextIO) -> None:
    """Every protocol's rows, then what must be shown."""
    kind = "quick, not to be quoted" if report.quick else "full"
    print(
        f"bundle {report.bundle.name} {report.bundle.version} on {report.data.name}: {kind}, seed {report.seed}",
        file=out,
    )
    for protocol in report.protocols:
        rows = [row for row in report.rows if row.protocol == protocol]
        if rows:
            print(f"\n{protocol}", file=out)
            for line in _aligned([_cells(row) for row in rows]):
                print(f"  {line}", file=out)
    if report.skipped:
        print("\nleft out", file=out)
        for skipped in report.skipped:
            print(f"  {skipped.what}: {skipped.reason}", file=out)
    print("\nmust show", file=out)
    for line in target_table(report.targets):
        print(f"  {line}", file=out)
    print(f"\n{report.seconds:.0f} s", file=out)


def target_table(lines: Sequence[TargetLine]) -> list[str]:
    """One line of text per target."""
    return _aligned([_target_cells(line) for line in lines])


def _target_cells(line: TargetLine) -> tuple[str, ...]:
    bound = f"{'>=' if line.at_least else '<='} {line.target:g}"
    found = "-" if line.value is None else f"{line.value:.4f}"
    interval = "" if line.low is None or line.high is None else f"[{line.low:.3f}, {line.high:.3f}]"
    return (line.case, line.figure, bound, found, interval, line.verdict)


def _cells(row: Row) -> tuple[str, ...]:
    refused = f" ({row.refused} refused)" if row.refused else ""
    figures = "  ".join(_figure(figure) for figure in row.figures)
    return (row.case, f"{row.machine_type}/{row.machine_id}", row.system, figures + refused)


def _figure(figure: Figure) -> str:
    interval = "" if figure.low is None or figure.high is None else f" [{figure.low:.3f}, {figure.high:.3f}]"
    return f"{figure.name} {figure.value:.3f}{interval}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
