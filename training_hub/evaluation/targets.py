"""What must be shown: each line finds its own figure among the rows, and says where it came from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training_hub.evaluation.report import Row, TargetLine

TOY = "toycar"
_FLAT = "flat noise 30 dB below"
_STREAM = (("commissioned amid background", "amid it"), ("commissioned in quiet", "in quiet"))


@dataclass(frozen=True)
class Target:
    """One line.

    Attributes:
        case: What is measured.
        figure: Name of the figure in the row.
        bound: The bound.
        at_least: Reach it, or stay at or below it.
        beside: What others reach.
        matches: Finds the rows; of several, the worst counts.
        note: How it is measured.
    """

    case: str
    figure: str
    bound: float
    at_least: bool
    beside: str
    matches: Callable[[Row], bool]
    note: str = ""

    def line(self, rows: Sequence[Row]) -> TargetLine:
        """The line with what was found."""
        found = [figure for row in rows if self.matches(row) for figure in row.figures if figure.name == self.figure]
        if self.figure == "auc_change":
            worst = max(found, key=lambda figure: abs(figure.value), default=None)
        else:
            worst = (min if self.at_least else max)(found, key=lambda figure: figure.value, default=None)
        value = None if worst is None else abs(worst.value) if self.figure == "auc_change" else worst.value
        return TargetLine(
            case=self.case,
            figure=self.figure,
            target=self.bound,
            at_least=self.at_least,
            value=value,
            low=worst.low if worst else None,
            high=worst.high if worst else None,
            beside=self.beside,
            note=self.note,
        )


def _row(protocol: str, case: str, machine_type: str, machine_id: str | None, system: str) -> Callable[[Row], bool]:
    def matches(row: Row) -> bool:
        return (row.protocol, row.case, row.machine_type, row.system) == (protocol, case, machine_type, system) and (
            machine_id is None or row.machine_id == machine_id
        )

    return matches


def _robust_gain(row: Row) -> bool:
    return row.protocol == "robustness" and row.case.startswith("gain") and row.system == "ours" and bool(row.figures)


TARGETS: tuple[Target, ...] = (
    *(
        Target(
            f"ToyCar, first shot, 10 clips, {how}",
            figure,
            bound,
            True,
            beside,
            _row("first_shot", "10 clips", TOY, "mean", system),
            "mean over ids and draws",
        )
        for how, system, bounds in (
            (
                "type fitted on the other ids",
                "ours",
                (("auc", 0.94, "plain Ledoit-Wolf .916; int8 autoencoder, all ids .825"), ("pauc", 0.80, ".758; .712")),
            ),
            ("generic precision only", "ours_generic", (("auc", 0.88, "own covariance .823"), ("pauc", 0.68, ".618"))),
        )
        for figure, bound, beside in bounds
    ),
    Target(
        "ToyCar, first shot, 10 clips, 30 dB flat noise",
        "auc",
        0.93,
        True,
        ".58 without noise copies, .909 with",
        _row("robustness", _FLAT, TOY, "mean", "ours"),
        "commissioned in quiet",
    ),
    *(
        Target(
            f"UAV in noise at {snr} dB, 30 normals",
            "auc",
            bound,
            True,
            f"plain Ledoit-Wolf about {beside}",
            _row("noise", f"SNR {snr:+g} dB", "uav_quadrotor", None, "ours"),
            "commissioned in the same noise",
        )
        for snr, bound, beside in ((0, 0.995, ".998"), (-6, 0.98, ".976"), (-12, 0.95, ".925"), (-18, 0.75, ".65"))
    ),
    Target(
        "lathe, clean",
        "auc",
        1.00,
        True,
        "",
        _row("leave_one_machine_out", "half of the clips", "metal_lathe", None, "ours"),
        "one recording: divided in time",
    ),
    Target(
        "BLDC propeller, clean",
        "auc",
        0.97,
        True,
        "",
        _row("leave_one_machine_out", "half of the clips", "bldc_motor", "a2212_M1", "ours"),
        "commissioned on 4 clips, tested on speeds never heard",
    ),
    Target("gain of +-6 dB: change of AUC", "auc_change", 0.005, False, "", _robust_gain, "largest over machines"),
    Target(
        "int8 against float: mean change of AUC",
        "mean_change",
        0.005,
        False,
        "autoencoder .035-.043",
        _row("int8_vs_float", "int8 less float", "all", "mean", "ours"),
    ),
    Target(
        "int8 against float: any change of AUC",
        "largest_change",
        0.015,
        False,
        "autoencoder .035-.043",
        _row("int8_vs_float", "int8 less float", "all", "mean", "ours"),
    ),
    Target(
        "nominal against realised false-alarm rate",
        "factor",
        2.0,
        False,
        "97 % of normals where resubstituted",
        lambda row: (row.protocol, row.machine_id, row.system) == ("calibration", "mean", "ours"),
        "worse of 10 % and 5 %, over 10, 20 and 40 clips, mean over machines commissioned on 4 recordings or more",
    ),
    *(
        Target(
            f"24 h stream amid background, commissioned {how}: alarms over all machines",
            "alarms",
            1.0,
            False,
            "one threshold at p90: 864 a day",
            _row("stream", case, "all", "sum", "ours"),
            "budget of 1 per machine and week",
        )
        for case, how in _STREAM
    ),
    Target(
        "identity: recall of known types",
        "recall",
        0.95,
        True,
        "",
        _row("identity", "known types", "all", "pooled", "ours"),
        "held-out recordings",
    ),
    Target(
        "identity: background and unseen as unknown",
        "unknown",
        0.85,
        True,
        "",
        _row("identity", "background and unseen", "all", "pooled", "ours"),
    ),
    Target(
        "routing by the machines' own profiles: right type",
        "recall",
        0.95,
        True,
        "",
        _row("routing", "held-out recordings, right type", "all", "pooled", "ours"),
        "held-out recordings of all machines of the gateway",
    ),
    Target(
        "routing: background and types not commissioned as unknown",
        "unknown",
        0.85,
        True,
        "",
        _row("routing", "background and types not commissioned", "all", "pooled", "ours"),
    ),
)


def target_lines(rows: Sequence[Row], *, quick: bool) -> tuple[TargetLine, ...]:
    """Every line, measured or not.

    Args:
        rows: What was found.
        quick: The run was one that proves nothing.
    """
    return tuple(target.line(rows).model_copy(update={"quick": quick}) for target in TARGETS)
