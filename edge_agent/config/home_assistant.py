"""`[mqtt.home_assistant]`: devices that Home Assistant finds by itself."""

from pydantic import Field

from edge_agent.settings.base import Section


class HomeAssistantSection(Section):
    """Devices that Home Assistant finds by itself, on the same broker."""

    enabled: bool = Field(
        default=False, description="Describe the machines to Home Assistant (2024.11 or newer), outside root_topic."
    )
    prefix: str = Field(
        default="homeassistant",
        max_length=64,
        pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$",
        description="Its discovery prefix.",
    )
