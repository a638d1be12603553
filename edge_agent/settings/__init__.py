"""How settings are read: strict sections from a TOML file and the environment, each mistake with its line.

Agent and hub use it; their own sections are in `edge_agent.config` and `training_hub.config`.
"""
