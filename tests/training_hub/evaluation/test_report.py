import re
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.report import Figure, Report, Row, TargetLine
from training_hub.evaluation.spectrogram import spectrogram_png
from training_hub.evaluation.svg import Axes
from training_hub.evaluation.targets import TARGETS, target_lines


def line(value: float | None, target: float, *, at_least: bool) -> TargetLine:
    return TargetLine(case="c", figure="auc", target=target, at_least=at_least, value=value)


VERDICTS = {
    "reached": (line(0.95, 0.94, at_least=True), "met"),
    "reached to three digits": (line(0.9396, 0.94, at_least=True), "met"),
    "missed": (line(0.9394, 0.94, at_least=True), "short"),
    "below a bound": (line(1.9, 2.0, at_least=False), "met"),
    "above a bound": (line(2.01, 2.0, at_least=False), "short"),
    "unknown": (line(None, 2.0, at_least=False), "not measured"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts(case: str) -> None:
    found, verdict = VERDICTS[case]
    assert found.verdict == verdict


def row(**changes: object) -> Row:
    values = {"protocol": "first_shot", "case": "10 clips", "machine_type": "toycar", "machine_id": "mean"}
    return Row(**(values | {"system": "ours"} | changes))  # type: ignore[arg-type]  # a table of overrides


def test_a_target_takes_its_own_row_and_the_worst_of_several() -> None:
    rows = [
        row(figures=(Figure(name="auc", value=0.95, low=0.9, high=0.97),)),
        row(system="lw_shared", figures=(Figure(name="auc", value=0.2),)),
        row(machine_id="01", figures=(Figure(name="auc", value=0.1),)),
        row(protocol="calibration", machine_type="all", case="10 clips", figures=(Figure(name="factor", value=1.2),)),
        row(protocol="calibration", machine_type="all", case="40 clips", figures=(Figure(name="factor", value=3.0),)),
        row(protocol="robustness", case="gain +6 dB", figures=(Figure(name="auc_change", value=-0.02),)),
        row(protocol="robustness", case="gain -6 dB", figures=(Figure(name="auc_change", value=0.01),)),
    ]
    lines = {(item.case, item.figure): item for item in target_lines(rows, quick=False)}
    first = lines["ToyCar, first shot, 10 clips, type fitted on the other ids", "auc"]
    assert (first.value, first.low, first.verdict) == (0.95, 0.9, "met")
    assert lines["nominal against realised false-alarm rate", "factor"].value == 3.0
    assert lines["gain of +-6 dB: change of AUC", "auc_change"].value == 0.02
    assert len(lines) == len(TARGETS)
    assert {item.verdict for item in target_lines(rows, quick=True)} == {"quick", "not measured"}


def test_a_damaged_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"schema_version": 2}')
    with pytest.raises(EvaluationError, match="evaluate again"):
        Report.read(path)


def test_the_picture_is_a_png_of_the_right_size() -> None:
    png = spectrogram_png(np.random.default_rng(0).normal(-60, 10, (50, 128)).astype(np.float32))
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (50, 128)
    data = png[png.index(b"IDAT") + 4 : png.index(b"IEND") - 8]
    assert len(zlib.decompress(data)) == 128 * (1 + 3 * 50)


def test_axes_keep_what_is_outside_at_the_edge() -> None:
    axes = Axes("t", "x", "y", (0.0, 1.0), (0.0, 1.0))
    assert axes.x(-5) == axes.x(0.0) < axes.x(0.5) < axes.x(1.0) == axes.x(9)
    assert axes.y(0.0) > axes.y(1.0)


class Requests(HTMLParser):
    """Everything in a page that would make a browser ask somebody."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "rect", "path", "circle", "polyline"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action") and not (value or "").startswith("data:"):
                self.found.append(f"{tag} {name}={value}")
        if tag in ("script", "link", "iframe", "object", "embed"):
            self.found.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag


def assert_self_contained(page: str) -> None:
    parser = Requests()
    parser.feed(page)
    assert parser.found == []
    assert parser.open == []
    assert not re.search(r"url\(|@import", page)
