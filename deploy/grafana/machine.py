"""Dashboard *One machine*: what a maintenance person asks after an alarm."""

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.panels import BAD, FINE, WORTH_A_LOOK, board, lines, number, steps, timeline
from deploy.grafana.states import ALARM_STATES, INPUTS, PROFILES, index_of_profile, index_of_state, named

_M = 'instance=~"$instance",machine="$machine"'
_CLIPS = f"edge_agent_clip_score_ratio_bucket{{{_M}}}"


def machine() -> build.Dashboard:
    """Score, level and alarms of one machine."""
    return (
        board("Machine sound: one machine", "edge-agent-machine", "One machine over time", per="machine")
        .with_panel(
            number(
                "Score / threshold",
                f"max(edge_agent_window_score{{{_M}}} / edge_agent_window_threshold{{{_M}}})",
                "Above 1 the last window was anomalous.",
                limits=steps((None, FINE), (0.8, WORTH_A_LOOK), (1, BAD)),
            )
        )
        .with_panel(
            number(
                "Percentile of its own normals",
                f"max(edge_agent_window_percentile_ratio{{{_M}}})",
                "Where the last window lies among what was learnt.",
                unit="percentunit",
                limits=steps((None, FINE), (0.95, WORTH_A_LOOK), (0.999, BAD)),
            )
        )
        .with_panel(
            number(
                "Alarms in 7 days",
                f"round(sum(increase(edge_agent_alarms_raised_total{{{_M}}}[7d])))",
                "The budget is about one false alarm a week.",
                limits=steps((None, FINE), (1, WORTH_A_LOOK), (5, BAD)),
                width=3,
            )
        )
        .with_panel(
            number(
                "Last window",
                f"time() - max(edge_agent_window_last_scored_timestamp_seconds{{{_M}}})",
                "Time since the last window; grows when the machine is no longer heard.",
                unit="s",
                limits=steps((None, FINE), (30, WORTH_A_LOOK), (120, BAD)),
            )
        )
        .with_panel(
            number(
                "Windows that tell nothing, 1 h",
                f'sum(increase(edge_agent_windows_total{{{_M},state=~"input_fault|unknown|uncommissioned"}}[1h]))'
                f" / sum(increase(edge_agent_windows_total{{{_M}}}[1h]))",
                "Input faults, unknown machine, not commissioned.",
                unit="percentunit",
                limits=steps((None, FINE), (0.05, WORTH_A_LOOK), (0.5, BAD)),
            )
        )
        .with_panel(
            number(
                "Input",
                f"max(edge_agent_input_fault{{{_M}}})",
                "Whether a fault of the microphone or its line lasts.",
                limits=steps((None, FINE), (1, BAD)),
                width=2,
                names=named(INPUTS),
            )
        )
        .with_panel(
            number(
                "Learnt",
                f"max({index_of_profile(_M)})",
                "Whether enough was learnt of the machine for a calibrated threshold.",
                limits=steps((None, BAD), (1, WORTH_A_LOOK), (2, FINE)),
                width=3,
                names=named(PROFILES),
            )
        )
        .with_panel(
            lines(
                "Anomaly score",
                [(f"edge_agent_window_score{{{_M}}}", "score"), (f"edge_agent_window_threshold{{{_M}}}", "threshold")],
                "Score of each window and the threshold that its false-alarm budget sets.",
                width=24,
                height=9,
                least=0,
            )
        )
        .with_panel(
            lines(
                "Kept clips: score / threshold",
                [
                    (f"histogram_quantile(0.5, sum by (le) (rate({_CLIPS}[1h])))", "median"),
                    (f"histogram_quantile(0.95, sum by (le) (rate({_CLIPS}[1h])))", "95 %"),
                ],
                "Each exemplar (diamond) is a clip: its label clip_id opens it on the gateway's page and in "
                "`edge-agent clips show`.",
                width=24,
                least=0,
            )
        )
        .with_panel(
            timeline(
                "Alarm",
                index_of_state("edge_agent_alarm_state", _M, "machine", ALARM_STATES),
                "{{machine}}",
                "State of the alarm (ISA-18.2).",
                named(ALARM_STATES),
            )
        )
        .with_panel(
            lines(
                "Windows by what they said",
                [(f"sum by (state) (rate(edge_agent_windows_total{{{_M}}}[5m])) * 60", "{{state}}")],
                "Windows a minute.",
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Level",
                [
                    (f"edge_agent_window_level_dbfs{{{_M}}}", "dBFS"),
                    (f"edge_agent_window_level_db_spl{{{_M}}}", "dB SPL"),
                ],
                "The level is no part of the score; dB SPL where the channel is calibrated.",
                unit="dB",
            )
        )
    )
