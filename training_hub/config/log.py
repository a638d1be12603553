"""`[log]`: what is written to standard error."""

from typing import Literal

from pydantic import Field

from edge_agent.settings.base import Section


class LogSection(Section):
    """What is written to standard error; never a password, key, cookie or query string."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least severity written.")
    format: Literal["auto", "text", "json", "journal"] = Field(
        default="auto", description="Form of a line; auto is journal under systemd, else text."
    )
