"""`edge-agent bench`: every figure is there, and they agree with each other."""

import json
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from edge_agent.bench.installed import installed
from edge_agent.bench.listening import LiveFigures, channels_one_core_holds
from edge_agent.bench.paired import median_ratio, take_turns
from tests.support.agent import BUNDLE, Shell


def test_one_object_with_every_figure(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.commands.bench.CHANNELS", (1, 3))
    monkeypatch.setattr("edge_agent.commands.bench.stay_on_one_core", lambda: None)  # the tests after this one
    done = shell("bench", "--json", "--clips", "8", "--repeats", "1", "--no-run", "--bundle", BUNDLE)
    assert done.status == 0
    found = json.loads(done.out)
    details = found["details"]
    assert found["replay_real_time_factor"] == details["replay"]["real_time_factor"] > 1
    assert found["replay_real_time_factor"] == pytest.approx(10_000 / details["replay"]["window_ms"], rel=1e-3)
    assert set(details["replay"]["kernels_ms"]) == {"fft", "mel", "encoder"}
    assert all(value > 0 for value in details["replay"]["kernels_ms"].values())
    assert [each["channels"] for each in details["live"]] == [1, 3]
    assert found["channels_per_core"] > 1
    assert 500 < details["replay"]["stored_bytes"] < found["bytes_per_result"] < 10_000
    assert (found["memory_mb"], found["ready_s"]) == (None, None)
    counted = found["instructions_per_second_of_sound"], found["instructions_missing_because"]
    assert sum(value is not None for value in counted) == 1, "a count, or the reason why there is none"
    assert found["cpu"] and found["load_before"] >= 0


def test_repeats_are_taken_in_turn() -> None:
    order: list[str] = []
    timed = take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b"] * 3  # the first of each warms up
    assert {name: len(values) for name, values in timed.items()} == {"a": 2, "b": 2}
    assert median_ratio({"a": (1.0, 9.0, 3.0), "b": (1.0, 3.0, 2.0)}, "a", "b") == 1.5


def test_a_core_holds_what_load_and_delay_allow() -> None:
    few = LiveFigures(16, 0.5, 50.0)
    assert channels_one_core_holds([few, LiveFigures(64, 0.5, 200.0)]) == 80  # 3.1 ms a channel
    assert channels_one_core_holds([LiveFigures(64, 5.0, 60.0), few]) == 20  # the core is full before


def test_the_base_install_counts_what_the_agent_needs_and_not_the_extras() -> None:
    sizes = installed().packages_mb
    assert {"edge-agent", "numpy", "ducc0", "pydantic"} <= set(sizes)
    assert not {"keras", "tensorflow-cpu", "librosa", "torch", "pytest"} & set(sizes)
    assert sizes["numpy"] > 10


def test_without_a_distribution_of_its_own_all_that_lies_beside_the_agent_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in the Debian package; compiled files count, whoever compiled them."""
    for name in ("edge_agent", "other"):
        (tmp_path / name).mkdir()
        source = tmp_path / name / "__init__.py"
        source.write_bytes(b"#" * 2_000_000)
        compiled = Path(cache_from_source(str(source)))
        compiled.parent.mkdir()
        compiled.write_bytes(b"c" * 1_000_000)
    record = tmp_path / "other-1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Name: other\nVersion: 1\n")
    (record / "RECORD").write_text("other/__init__.py,,\nother/gone.py,,\n")
    monkeypatch.setattr("edge_agent.bench.installed.distributions", lambda names: {})
    monkeypatch.setattr("edge_agent.bench.installed.resource", lambda path: tmp_path / "none")
    monkeypatch.setattr("edge_agent.__file__", str(tmp_path / "edge_agent" / "__init__.py"))
    found = installed()
    assert found.packages_mb == {"other": 3.0, "edge-agent": 3.0}
    assert (found.compiled_mb, found.total_mb) == (2.0, 6.0)
