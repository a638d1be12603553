"""Settings of the agent: one strict section per file."""

from edge_agent.config.load import load_settings
from edge_agent.config.problems import ConfigError, Problem
from edge_agent.config.secret import SecretFile, SecretFileError
from edge_agent.config.settings import AgentSettings

__all__ = ["AgentSettings", "ConfigError", "Problem", "SecretFile", "SecretFileError", "load_settings"]
