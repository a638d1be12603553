"""The hub as a process: its server, what runs beside it, its probes, headers and metrics."""
