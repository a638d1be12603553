"""Dashboard *Alarm quality*: whether alarms keep to their budget and are attended to (EEMUA 191, ISA-18.2)."""

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.panels import BAD, FINE, WORTH_A_LOOK, bars, board, lines, number, steps

_I = 'instance=~"$instance"'
_HEARD = f'edge_agent_windows_total{{{_I},state=~"normal|suspect|alarm"}}'
_ABOVE = f'edge_agent_windows_total{{{_I},state=~"suspect|alarm"}}'


def alarm_quality() -> build.Dashboard:
    """For the engineer who sets budgets and decides what to commission again."""
    return (
        board("Machine sound: alarm quality", "edge-agent-alarm-quality", "Do alarms mean something?", per="fleet")
        .time("now-7d", "now")
        .with_panel(
            number(
                "Alarms in 7 days",
                f"round(sum(increase(edge_agent_alarms_raised_total{{{_I}}}[7d])))",
                "Over all machines.",
                limits=steps((None, FINE), (10, WORTH_A_LOOK), (50, BAD)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Per machine and week",
                f"sum(increase(edge_agent_alarms_raised_total{{{_I}}}[7d]))"
                f" / count(sum by (instance, machine) (edge_agent_alarms_raised_total{{{_I}}}))",
                "The default budget is 1 false alarm.",
                limits=steps((None, FINE), (2, WORTH_A_LOOK), (5, BAD)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Standing without acknowledgement",
                f'sum(edge_agent_alarm_state{{{_I},state=~"unacknowledged|returned_unacknowledged|latched"}})',
                "Nobody has said that they saw it.",
                limits=steps((None, FINE), (1, WORTH_A_LOOK), (5, BAD)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Shelved or out of service",
                f'sum(edge_agent_alarm_state{{{_I},state=~"shelved|out_of_service"}})',
                "Machines whose alarms are kept from people on purpose.",
                limits=steps((None, FINE), (3, WORTH_A_LOOK)),
                width=6,
            )
        )
        .with_panel(
            bars(
                "Alarms in 7 days, by machine",
                f"round(sum by (instance, machine) (increase(edge_agent_alarms_raised_total{{{_I}}}[7d])))",
                "{{machine}} / {{instance}}",
                "A machine that stands out has changed or was learnt from too little.",
                unit="short",
                limits=steps((None, FINE), (2, WORTH_A_LOOK), (5, BAD)),
            )
        )
        .with_panel(
            bars(
                "Share of windows above the threshold, 1 day",
                f"sum by (instance, machine) (rate({_ABOVE}[1d])) / sum by (instance, machine) (rate({_HEARD}[1d]))",
                "{{machine}} / {{instance}}",
                "What the budget allows is far below 1 %; a share that stays above it is drift.",
                unit="percentunit",
                limits=steps((None, FINE), (0.01, WORTH_A_LOOK), (0.2, BAD)),
            )
        )
        .with_panel(
            lines(
                "Share of windows above the threshold",
                [
                    (
                        f"sum by (instance, machine) (rate({_ABOVE}[1h]))"
                        f" / sum by (instance, machine) (rate({_HEARD}[1h]))",
                        "{{machine}} / {{instance}}",
                    )
                ],
                "By the hour: a rise by steps is a change, a slope is wear, bursts are another operating state.",
                unit="percentunit",
                width=24,
                least=0,
            )
        )
        .with_panel(
            lines(
                "Alarms raised",
                [
                    (
                        f"sum by (instance, machine) (increase(edge_agent_alarms_raised_total{{{_I}}}[1h]))",
                        "{{machine}} / {{instance}}",
                    )
                ],
                "By the hour. Many machines at once is the plant, not the machines.",
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Time in each state",
                [(f"sum by (state) (avg_over_time(edge_agent_alarm_state{{{_I}}}[1h]))", "{{state}}")],
                "Machines, on average over the hour.",
                stacked=True,
            )
        )
    )
