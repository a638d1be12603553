"""The table of what the shipped detector hears, in short: sentences over simulated machines."""

import json
import shutil

import pytest

from benchmarks.detection import speech


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_the_shipped_detector_hears_what_its_table_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MACHINE_SOUND_DATA", raising=False)
    assert speech.main(["--clips", "8", "--voices", "espeak-ng", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    quiet = {row["what"]: row["share"] for row in rows if "share" in row}
    assert quiet["simulated machine"] <= 0.25
    heard = {(row["what"], row["snr_db"]): row for row in rows if "found" in row}
    for what in ("a sentence", "a sentence in a room", "a sentence far away"):
        row = heard[what, 6.0]
        assert row["found"] >= 0.85 and row["left_s"] <= 0.5, row
    for what in ("a sentence that begins before the clip", "a sentence that goes on after the clip"):
        assert heard[what, 6.0]["found"] >= 0.6, what
    assert heard["a sentence", 12.0]["found"] == 1.0 and heard["a sentence", 12.0]["left_s"] <= 0.2
