"""Settings of the agent: one strict section per file."""

from edge_agent.config.load import load_settings
from edge_agent.config.settings import AgentSettings
from edge_agent.settings.problems import ConfigError, Problem
from edge_agent.settings.secret import SecretFile, SecretFileError

__all__ = ["AgentSettings", "ConfigError", "Problem", "SecretFile", "SecretFileError", "load_settings"]
