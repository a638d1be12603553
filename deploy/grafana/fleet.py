"""Dashboard *Fleet*: every machine and gateway at a glance."""

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.panels import BAD, FINE, WORTH_A_LOOK, bars, board, lines, number, rows, steps, timeline
from deploy.grafana.states import ALARM_STATES, index_of_state, named

_I = 'instance=~"$instance"'


def fleet() -> build.Dashboard:
    """Built for the wall of a control room: what needs a person is red."""
    none_is_fine = steps((None, FINE), (1, BAD))
    return (
        board("Machine sound: fleet", "edge-agent-fleet", "All machines and gateways", per="fleet")
        .with_row(build.Row("Now"))
        .with_panel(
            number(
                "Machines in alarm",
                f'sum(edge_agent_alarm_state{{{_I},state="unacknowledged"}})',
                "Alarms that nobody has acknowledged.",
                limits=none_is_fine,
            )
        )
        .with_panel(
            number(
                "Machines heard",
                f"count(sum by (instance, machine) (increase(edge_agent_windows_total{{{_I}}}[5m])) > 0)",
                "Machines with a finished window in the last 5 minutes.",
                limits=steps((None, BAD), (1, FINE)),
            )
        )
        .with_panel(
            number(
                "Not heard",
                f"count(sum by (instance, machine) (increase(edge_agent_windows_total{{{_I}}}[5m])) == 0) or vector(0)",
                "Machines without a finished window in the last 5 minutes.",
                limits=none_is_fine,
            )
        )
        .with_panel(
            number(
                "Sources down",
                f'sum(edge_agent_source_state{{{_I},state="down"}})',
                "Microphones and streams that deliver nothing.",
                limits=none_is_fine,
            )
        )
        .with_panel(
            number(
                "Gateways up",
                'sum(up{job="edge-agent",instance=~"$instance"})',
                "Gateways that answer.",
                limits=steps((None, BAD), (1, FINE)),
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
            timeline(
                "Alarms",
                index_of_state("edge_agent_alarm_state", _I, "instance, machine", ALARM_STATES),
                "{{machine}}",
                "State of each machine's alarm (ISA-18.2).",
                named(ALARM_STATES),
            )
        )
        .with_panel(
            lines(
                "Score against threshold",
                [(f"edge_agent_window_score{{{_I}}} / edge_agent_window_threshold{{{_I}}}", "{{machine}}")],
                "1 is each machine's own threshold; above it a window is anomalous.",
                least=0,
            )
        )
        .with_panel(
            bars(
                "Where the last window lies among the machine's own normals",
                f"edge_agent_window_percentile_ratio{{{_I}}}",
                "{{machine}}",
                "1 is more unusual than every normal window that was learnt.",
                unit="percentunit",
                limits=steps((None, FINE), (0.95, WORTH_A_LOOK), (0.999, BAD)),
            )
        )
        .with_panel(
            rows(
                "Each machine",
                [
                    (f"max by (machine) (edge_agent_window_score{{{_I}}})", "score"),
                    (f"max by (machine) (edge_agent_window_threshold{{{_I}}})", "threshold"),
                    (f"max by (machine) (edge_agent_window_level_dbfs{{{_I}}})", "level, dBFS"),
                    (f"sum by (machine) (increase(edge_agent_alarms_raised_total{{{_I}}}[7d]))", "alarms in 7 days"),
                    (
                        f"time() - max by (machine) (edge_agent_window_last_scored_timestamp_seconds{{{_I}}})",
                        "seconds since the last window",
                    ),
                ],
                "One row per machine.",
                by="machine",
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
                width=12,
            )
        )
    )
