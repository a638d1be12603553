"""What the agent costs on this machine: `edge-agent bench` and `benchmarks/speed` share it. Nothing here runs live."""
