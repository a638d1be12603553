"""Routing on simulated machines: every figure is there, and a background is no machine."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_agent.inference.bundle import Bundle
from training_hub.evaluation import context
from training_hub.evaluation.datasets import EvalData
from training_hub.evaluation.run import Options, evaluate

TINY = replace(context.QUICK, draws=1, clips_per_machine=8)
CASES = {
    "held-out recordings, right machine": "recall",
    "held-out recordings, right type": "recall",
    "types not commissioned": "unknown",
    "background": "unknown",
    "background and types not commissioned": "unknown",
    "mismatch, normal sound": "false_rate",
    "mismatch, real faults": "false_rate",
    "confidence, all answers": "calibration_error",
}


def test_machines_are_routed_and_every_figure_is_there(
    data: EvalData, make_bundle: Callable[[EvalData], Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training_hub.evaluation.run.QUICK", TINY)
    report = evaluate(make_bundle(data), data, Options(protocols=("routing",), quick=True, seed=5))
    rows = {row.case: row for row in report.rows}
    for case, figure in CASES.items():
        value = rows[case].figure(figure)
        assert value is not None, case
        assert 0.0 <= value <= 1.0
    kind, machine = (rows[case].figure("recall") for case in list(CASES)[1::-1])
    assert kind is not None and machine is not None
    assert kind >= machine  # the right machine is of the right type
