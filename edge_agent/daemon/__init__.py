"""The daemon: its parts built from the settings and tied together (`parts`), run (`running`), changed (`takeover`)."""

from edge_agent.daemon.running import Daemon

__all__ = ["Daemon"]
