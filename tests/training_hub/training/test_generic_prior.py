"""The generic prior of the shipped bundle."""

from pathlib import Path

import pytest

from edge_agent.detection.registry import DETECTORS
from training_hub.training import generic_prior


def test_without_recordings_it_is_fitted_on_simulated_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic_prior, "_SIMULATED_PER_TYPE", 2)
    monkeypatch.setattr(generic_prior, "_SIMULATED_WINDOWS", 4)
    normals = generic_prior.simulated_normals()
    assert len({n.machine_type for n in normals}) == 7
    assert all(window.shape == (311, 128) for n in normals for window in n.windows)
    prior = generic_prior.clean_generic(None)
    assert prior.name == "generic"
    assert prior.machines == len(normals)
    weighted = {name for name in DETECTORS if prior.of(name).weight > 0}
    assert "shape" in weighted


class _Normals:
    def __init__(self, machine_id: str) -> None:
        self.machine_type, self.machine_id = "fan", machine_id


def test_only_recordings_that_may_be_shipped_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows of two licences; what is read is looked at before it is fitted."""
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "file,machine_type,machine_id,condition,group,licence\n"
        "a.wav,fan,free,normal,g1,MIT (in the repository)\n"
        "b.wav,fan,closed,normal,g2,none stated\n"
    )
    seen: list[_Normals] = []

    monkeypatch.setattr(generic_prior, "read_normals", lambda _: [_Normals("free:state_on"), _Normals("closed")])
    monkeypatch.setattr(generic_prior, "fit_generic", seen.extend)
    generic_prior.clean_generic(manifest)
    assert [n.machine_id for n in seen] == ["free:state_on"]
