"""Dashboard *Gateway health*: capture, computing, delivery and the computer itself."""

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.panels import BAD, FINE, WORTH_A_LOOK, board, lines, number, rows, steps, timeline
from deploy.grafana.states import SOURCE_STATES, index_of_state, named

_I = 'instance="$instance"'


def _quantiles(histogram: str, by: str = "") -> list[tuple[str, str]]:
    group = f"le, {by}" if by else "le"
    label = "{{" + by + "}} " if by else ""
    return [
        (f"histogram_quantile({q}, sum by ({group}) (rate({histogram}_bucket{{{_I}}}[5m])))", f"{label}p{q * 100:.0f}")
        for q in (0.5, 0.99)
    ]


def gateway() -> build.Dashboard:
    """One gateway, from microphone to broker."""
    none_is_fine = steps((None, FINE), (1, BAD))
    return (
        board("Machine sound: gateway health", "edge-agent-gateway", "One gateway", per="gateway")
        .with_row(build.Row("Now"))
        .with_panel(
            number(
                "Broker",
                f"max(edge_agent_mqtt_connected{{{_I}}})",
                "1 while it is reached.",
                limits=steps((None, BAD), (1, FINE)),
            )
        )
        .with_panel(
            number(
                "Sources down",
                f'sum(edge_agent_source_state{{{_I},state="down"}})',
                "Deliver nothing.",
                limits=none_is_fine,
            )
        )
        .with_panel(
            number(
                "Samples unaccounted",
                f"sum(edge_agent_samples_captured_total{{{_I}}}) - sum(edge_agent_samples_scored_total{{{_I}}})"
                f" - (sum(edge_agent_samples_skipped_total{{{_I}}}) or vector(0))"
                f" - (sum(edge_agent_samples_lost_total{{{_I}}}) or vector(0))"
                f" - sum(edge_agent_samples_pending{{{_I}}})",
                "captured = scored + skipped + lost + pending, at every scrape.",
                limits=steps((None, BAD), (0, FINE), (1, BAD)),
            )
        )
        .with_panel(
            number(
                "Events waiting",
                f"sum(edge_agent_outbox_events{{{_I}}})",
                "On disk.",
                limits=steps((None, FINE), (100, WORTH_A_LOOK), (10_000, BAD)),
            )
        )
        .with_panel(
            number(
                "Clock synchronised",
                f"max(edge_agent_clock_synced{{{_I}}})",
                "Times in events are marked when it is not.",
                limits=steps((None, WORTH_A_LOOK), (1, FINE)),
            )
        )
        .with_panel(
            number(
                "Up for",
                f"time() - max(edge_agent_start_time_seconds{{{_I}}})",
                "Since the agent was started.",
                unit="s",
                limits=steps((None, WORTH_A_LOOK), (600, FINE)),
            )
        )
        .with_row(build.Row("Capture"))
        .with_panel(
            timeline(
                "Sources",
                index_of_state("edge_agent_source_state", _I, "source", SOURCE_STATES),
                "{{source}}",
                "One that never started is down.",
                named(SOURCE_STATES),
            )
        )
        .with_panel(
            lines(
                "Samples captured",
                [
                    (
                        f"sum by (source, channel) (rate(edge_agent_samples_captured_total{{{_I}}}[1m]))",
                        "{{source}} {{channel}}",
                    )
                ],
                "Samples a second by the sample clock: the native rate of each channel.",
                unit="hertz",
            )
        )
        .with_panel(
            lines(
                "Samples lost and skipped",
                [
                    (
                        f"sum by (source, reason) (rate(edge_agent_samples_lost_total{{{_I}}}[1m]))",
                        "{{source}} lost: {{reason}}",
                    ),
                    (
                        f"sum by (source, reason) (rate(edge_agent_samples_skipped_total{{{_I}}}[1m]))",
                        "{{source}} skipped: {{reason}}",
                    ),
                ],
                "Lost should have been scored; skipped rightly was not.",
                unit="hertz",
            )
        )
        .with_row(build.Row("Computing"))
        .with_panel(
            lines("Stages", _quantiles("edge_agent_stage_duration_seconds", "stage"), "Time of one call.", unit="s")
        )
        .with_panel(
            lines(
                "Share of one core, by stage",
                [(f"sum by (stage) (rate(edge_agent_stage_duration_seconds_sum{{{_I}}}[1m]))", "{{stage}}")],
                "Seconds of computing a second.",
                unit="percentunit",
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Waiting inside the agent",
                [(f"edge_agent_queue_depth_items{{{_I}}}", "{{queue}}")],
                "Grows when the gateway does not keep up.",
            )
        )
        .with_panel(
            lines(
                "Restarts of parts",
                [(f"sum by (component) (increase(edge_agent_restarts_total{{{_I}}}[5m]))", "{{component}}")],
                "In 5 minutes.",
            )
        )
        .with_panel(
            lines(
                "Processor of the agent",
                [(f"rate(edge_agent_process_cpu_seconds_total{{{_I}}}[1m])", "cores")],
                "Seconds of one core a second; processes of devices are not in it.",
                unit="percentunit",
            )
        )
        .with_panel(
            lines(
                "Memory of the agent",
                [(f"edge_agent_process_resident_memory_bytes{{{_I}}}", "resident")],
                "Resident memory; processes of devices are not in it.",
                unit="bytes",
                least=0,
            )
        )
        .with_panel(
            lines(
                "Room on the disk",
                [
                    (
                        f"edge_agent_state_disk_free_bytes{{{_I}}} / edge_agent_state_disk_size_bytes{{{_I}}}",
                        "free",
                    )
                ],
                "Of the file system that holds the state directory; an alert tells of less than 5 %.",
                unit="percentunit",
                least=0,
            )
        )
        .with_panel(
            lines(
                "Kept clips",
                [(f"sum by (reason) (edge_agent_clips_stored_bytes{{{_I}}})", "{{reason}}")],
                "Size on the disk, by why they are kept.",
                unit="bytes",
                stacked=True,
            )
        )
        .with_row(build.Row("Delivery"))
        .with_panel(
            lines(
                "Window's end to the broker's acknowledgement",
                _quantiles("edge_agent_publish_latency_seconds"),
                "Results of now, without the backlog.",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Events",
                [
                    (f"rate(edge_agent_outbox_accepted_total{{{_I}}}[1m])", "accepted"),
                    (f"rate(edge_agent_mqtt_published_total{{{_I}}}[1m])", "acknowledged"),
                    (f"rate(edge_agent_mqtt_replayed_total{{{_I}}}[1m])", "of them from the backlog"),
                ],
                "A second.",
            )
        )
        .with_panel(
            lines(
                "Waiting, by priority",
                [(f"edge_agent_outbox_events{{{_I}}}", "{{priority}}")],
                "Events on disk.",
                stacked=True,
            )
        )
        .with_panel(
            lines(
                "Outbox",
                [(f"edge_agent_outbox_payload_bytes{{{_I}}}", "bytes waiting")],
                "Size of what waits.",
                unit="bytes",
            )
        )
        .with_panel(
            lines(
                "Age of the oldest event",
                [(f"edge_agent_outbox_oldest_age_seconds{{{_I}}}", "oldest")],
                "0 while the broker keeps up.",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "What failed",
                [
                    (f"sum by (reason) (increase(edge_agent_mqtt_failed_total{{{_I}}}[5m]))", "broker: {{reason}}"),
                    (f"sum by (reason) (increase(edge_agent_outbox_errors_total{{{_I}}}[5m]))", "outbox: {{reason}}"),
                    (
                        f"sum by (reason) (increase(edge_agent_outbox_dropped_total{{{_I}}}[5m]))",
                        "given up: {{reason}}",
                    ),
                    (f"increase(edge_agent_intake_given_up_total{{{_I}}}[5m])", "lost"),
                    (
                        f"sum by (operation, reason) (increase(edge_agent_mqtt_refused_total{{{_I}}}[5m]))",
                        "refused: {{operation}} {{reason}}",
                    ),
                    (
                        f"sum by (operation) (increase(edge_agent_alarm_store_failures_total{{{_I}}}[5m]))",
                        "alarms: {{operation}}",
                    ),
                    (f"sum by (reason) (increase(edge_agent_clips_errors_total{{{_I}}}[5m]))", "clips: {{reason}}"),
                ],
                "In 5 minutes; nothing is what it should be.",
            )
        )
        .with_row(build.Row("Hub"))
        .with_panel(
            number(
                "Hub",
                f"max(edge_agent_sync_hub_reached{{{_I}}})",
                "1 while it answers; nothing where no hub is configured.",
                limits=steps((None, BAD), (1, FINE)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Last answer",
                f"time() - max(edge_agent_sync_last_success_timestamp_seconds{{{_I}}})",
                "Time since the hub's last good answer.",
                unit="s",
                limits=steps((None, FINE), (3600, WORTH_A_LOOK), (86_400, BAD)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Clips waiting",
                f"sum(edge_agent_sync_clips_waiting{{{_I}}})",
                "To be sent, now or when their hour comes.",
                limits=steps((None, FINE), (1000, WORTH_A_LOOK)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Clips set aside",
                f'sum(edge_agent_sync_clips_set_aside{{{_I},reason!="speech"}})',
                "Refused by the hub, or damaged.",
                limits=steps((None, FINE), (1, WORTH_A_LOOK)),
                width=6,
            )
        )
        .with_panel(
            lines(
                "Up and down",
                [
                    (f"increase(edge_agent_sync_clips_acknowledged_total{{{_I}}}[5m])", "clips"),
                    (
                        f"sum by (outcome) (increase(edge_agent_sync_events_reconciled_total{{{_I}}}[5m]))",
                        "events: {{outcome}}",
                    ),
                    (
                        f"sum by (direction) (increase(edge_agent_sync_labels_total{{{_I}}}[5m]))",
                        "labels {{direction}}",
                    ),
                    (f"sum by (reason) (increase(edge_agent_sync_failures_total{{{_I}}}[5m]))", "failed: {{reason}}"),
                ],
                "In 5 minutes. Events `sent` are those that the broker acknowledged and the hub had not got.",
            )
        )
        .with_panel(
            lines(
                "Sent, and kept until the hub has it",
                [
                    (f"rate(edge_agent_sync_sent_bytes_total{{{_I}}}[5m]) * 300", "sent in 5 minutes"),
                    (f"edge_agent_sync_clips_waiting_bytes{{{_I}}}", "clips waiting"),
                    (f"edge_agent_sync_journal_bytes{{{_I}}}", "journal of events"),
                ],
                "Files of clips, and events.",
                unit="bytes",
            )
        )
        .with_row(build.Row("Software"))
        .with_panel(
            rows(
                "Versions",
                [
                    (f"max by (instance, version, python) (edge_agent_build_info{{{_I}}})", "agent"),
                    (f"max by (instance, name, sha256) (edge_agent_model_info{{{_I}}})", "bundle"),
                ],
                "The agent and the models in use.",
                by="instance",
                hide=("Value #A", "Value #B"),
                height=5,
            )
        )
    )
