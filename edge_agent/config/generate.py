"""Writes what is derived from the settings: `config/agent.toml`, its JSON schema and the reference page.

`python -m edge_agent.config.generate` writes the files, with `--check` it only compares them and exits 1 with a diff.
"""

import sys

from edge_agent.config.settings import AgentSettings
from edge_agent.settings.documents import render_reference, render_schema, render_toml, write_or_compare

_EXAMPLE_KIND = "simulated"
_HEAD = """\
# Settings of the edge agent. Generated from the code: python -m edge_agent.config.generate
# A key that is commented out has the default shown, or is optional. Every key can be set by the variable in brackets.
# As it stands this file listens to a simulated fan and needs no hardware. Check it: edge-agent check --config FILE
"""


def documents() -> dict[str, str]:
    """Every generated file, by its path in the repository."""
    return {
        "config/agent.toml": render_toml(AgentSettings, head=_HEAD, example_kind=_EXAMPLE_KIND),
        "config/agent.schema.json": render_schema(AgentSettings),
        "docs/reference/configuration.md": render_reference(
            AgentSettings, title="Configuration of the agent", example="config/agent.toml", example_kind=_EXAMPLE_KIND
        ),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write or compare the files; returns the exit status."""
    return write_or_compare(documents(), (__doc__ or "").splitlines()[0], arguments)


if __name__ == "__main__":
    sys.exit(main())
