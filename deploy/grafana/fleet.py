"""Dashboard *Fleet*: every machine and gateway at a glance."""

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.panels import BAD, FINE, WORTH_A_LOOK, bars, board, lines, number, rows, steps, timeline
from deploy.grafana.states import (
    ALARM_STATES,
    HEARD,
    INPUTS,
    NOTHING_KNOWN,
    PROFILES,
    index_of_profile,
    index_of_state,
    named,
)

_I = 'instance=~"$instance"'
_UP = f'up{{job="edge-agent",{_I}}}'
_BY = "instance, machine"
_KNOWN = (
    f"(edge_agent_machine_info{{{_I}}} or last_over_time(edge_agent_machine_info{{{_I}}}[1d])"
    " unless on (instance) edge_agent_start_time_seconds)"
)
"""Configured machines; of a gateway that is silent now, those of its last day."""
_HEARD = f"(sum by ({_BY}) (increase(edge_agent_windows_total{{{_I}}}[5m])) > 0)"
_TRUSTED = (
    f'({_HEARD} unless on ({_BY}) (edge_agent_machine_info{{{_I},profile="none"}}'
    f" or edge_agent_input_fault{{{_I}}} == 1))"
)
_STATE = index_of_state("edge_agent_alarm_state", _I, _BY, ALARM_STATES)
_ALARM = f"(({_STATE}) > 0) or (({_STATE}) and on ({_BY}) {_TRUSTED}) or ({_STATE}) * 0 - 1"
"""State of each alarm; -1 instead of normal where the machine is not heard, not learnt, or its input is unfit."""
_WORDS = [*named(ALARM_STATES), NOTHING_KNOWN]


def _row(expression: str) -> str:
    """A series with the name of its row: machines of two gateways may have the same id."""
    return f'label_join({expression}, "where", " / ", "machine", "instance")'


def fleet() -> build.Dashboard:
    """Built for the wall of a control room: which machine is odd, since when, and whether that can be relied on."""
    none_is_fine = steps((None, FINE), (1, BAD))
    return (
        board("Machine sound: fleet", "edge-agent-fleet", "All machines and gateways", per="fleet")
        .with_row(build.Row("Now"))
        .with_panel(
            number(
                "Machines in alarm",
                f'sum(edge_agent_alarm_state{{{_I},state=~"unacknowledged|acknowledged|suppressed"}})',
                "Machines that sound odd now, whether somebody has seen it or not; suppressed ones are part of a plant "
                "event.",
                limits=none_is_fine,
            )
        )
        .with_panel(
            number(
                "Alarms unseen",
                f'sum(edge_agent_alarm_state{{{_I},state=~"unacknowledged|returned_unacknowledged|latched"}})',
                "Alarms that nobody has acknowledged, those that are over among them.",
                limits=none_is_fine,
            )
        )
        .with_panel(
            number(
                "Machines not heard",
                f"count(group by ({_BY}) ({_KNOWN}) unless {_HEARD}) or vector(0)",
                "Configured machines without a finished window in the last 5 minutes, those of a silent gateway too: "
                "nothing can be said of them.",
                limits=none_is_fine,
            )
        )
        .with_panel(
            number(
                "Not to be relied on",
                f"count(max by ({_BY}) (edge_agent_input_fault{{{_I}}} == 1) or "
                f'max by ({_BY}) (edge_agent_machine_info{{{_I},profile="none"}})) or vector(0)',
                "Machines whose input is unfit or of which nothing was learnt: green says nothing there.",
                limits=steps((None, FINE), (1, WORTH_A_LOOK)),
            )
        )
        .with_panel(
            number(
                "Gateways silent",
                f"(count({_UP} == 0) or vector(0)) + (count(count_over_time({_UP}[1d]) unless {_UP}) or vector(0))",
                "Gateways that do not answer, or were asked within the last day and are no longer.",
                limits=none_is_fine,
            )
        )
        .with_panel(
            number(
                "Events waiting",
                f"sum(edge_agent_outbox_events{{{_I}}})",
                "Kept on the gateways' disks until the broker has them.",
                limits=steps((None, FINE), (100, WORTH_A_LOOK), (10_000, BAD)),
            )
        )
        .with_row(build.Row("Machines"))
        .with_panel(
            rows(
                "Each machine",
                [
                    (_row(f"({_ALARM} or group by ({_BY}) ({_KNOWN}) * 0 - 1)"), "alarm"),
                    (_row(f"1000 * max by ({_BY}) (edge_agent_alarm_raised_timestamp_seconds{{{_I}}})"), "since"),
                    (
                        _row(f"max by ({_BY}) (edge_agent_window_score{{{_I}}} / edge_agent_window_threshold{{{_I}}})"),
                        "score / threshold",
                    ),
                    (_row(f"(group by ({_BY}) ({_KNOWN}) and {_HEARD} or group by ({_BY}) ({_KNOWN}) * 0)"), "heard"),
                    (
                        _row(f"max by ({_BY}) (edge_agent_input_fault{{{_I}}})"),
                        "input",
                    ),
                    (_row(index_of_profile(_I)), "learnt"),
                    (
                        _row(f"max by ({_BY}) (edge_agent_window_level_dbfs{{{_I}}}) and group by ({_BY}) ({_KNOWN})"),
                        "level, dBFS",
                    ),
                    (
                        _row(f"round(sum by ({_BY}) (increase(edge_agent_alarms_raised_total{{{_I}}}[7d])))"),
                        "alarms in 7 days",
                    ),
                ],
                "Which machine is odd, since when, and whether its input and what was learnt of it can be relied on.",
                by="where",
                hide=(
                    "instance",
                    "machine",
                    *(f"{name} {number}" for name in ("instance", "machine") for number in range(1, 9)),
                ),
                units={"since": "dateTimeFromNow", "level, dBFS": "dB"},
                words={
                    "alarm": _WORDS,
                    "heard": named(HEARD),
                    "input": named(INPUTS),
                    "learnt": named(PROFILES),
                },
                height=10,
            )
        )
        .with_panel(
            timeline(
                "Alarms",
                _ALARM,
                "{{machine}} / {{instance}}",
                "State of each machine's alarm (ISA-18.2). Grey: it is not heard, nothing was learnt of it, or its "
                "input is unfit. A gap: its gateway told nothing.",
                _WORDS,
            )
        )
        .with_panel(
            lines(
                "Score against threshold",
                [
                    (
                        f"edge_agent_window_score{{{_I}}} / edge_agent_window_threshold{{{_I}}}",
                        "{{machine}} / {{instance}}",
                    )
                ],
                "1 is each machine's own threshold; above it a window is anomalous.",
                least=0,
            )
        )
        .with_panel(
            bars(
                "Where the last window lies among the machine's own normals",
                f"edge_agent_window_percentile_ratio{{{_I}}}",
                "{{machine}} / {{instance}}",
                "100 % is more unusual than every normal window that was learnt.",
                unit="percentunit",
                limits=steps((None, FINE), (0.95, WORTH_A_LOOK), (0.999, BAD)),
                most=1.0,
            )
        )
        .with_row(build.Row("Gateways"))
        .with_panel(
            lines(
                "Windows by what they said",
                [(f"sum by (state) (rate(edge_agent_windows_total{{{_I}}}[5m])) * 60", "{{state}}")],
                "Windows a minute over all machines.",
                stacked=True,
            )
        )
        .with_panel(
            rows(
                "Software and models",
                [
                    (f"max by (instance, version) (edge_agent_build_info{{{_I}}})", "agent"),
                    (f"max by (instance, name, sha256) (edge_agent_model_info{{{_I}}})", "bundle"),
                ],
                "What runs where.",
                by="instance",
                hide=("Value #A", "Value #B"),
                width=12,
            )
        )
    )
