"""Writes what is derived from the settings: `config/hub.toml`, its JSON schema and the reference page.

`python -m training_hub.config.generate` writes the files, with `--check` it only compares them and exits 1 with a diff.
"""

import sys

from edge_agent.settings.documents import render_reference, render_schema, render_toml, write_or_compare
from training_hub.config.settings import HubSettings

_HEAD = """\
# Settings of the training hub. Generated from the code: python -m training_hub.config.generate
# A key that is commented out has the default shown, or is optional. Every key can be set by the variable in brackets.
# As it stands the hub listens on the loopback and keeps everything in one directory: training-hub serve --config FILE
"""


def documents() -> dict[str, str]:
    """Every generated file, by its path in the repository."""
    return {
        "config/hub.toml": render_toml(HubSettings, head=_HEAD, optional=("mqtt", "accounts.oidc.roles")),
        "config/hub.schema.json": render_schema(HubSettings),
        "docs/reference/hub-configuration.md": render_reference(
            HubSettings, title="Configuration of the hub", example="config/hub.toml"
        ),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write or compare the files; returns the exit status."""
    return write_or_compare(documents(), (__doc__ or "").splitlines()[0], arguments)


if __name__ == "__main__":
    sys.exit(main())
