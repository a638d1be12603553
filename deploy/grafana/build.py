"""Writes the dashboards of deploy/grafana/dashboards; `--check` fails where a file is not what it would write."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.alarm_quality import alarm_quality
from deploy.grafana.fleet import fleet
from deploy.grafana.gateway import gateway
from deploy.grafana.machine import machine

DIRECTORY = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, str]:
    """Name and JSON of every dashboard."""
    made = {"fleet": fleet(), "machine": machine(), "gateway": gateway(), "alarm-quality": alarm_quality()}
    return {name: json.dumps(plain(board.build()), sort_keys=True, indent=2) + "\n" for name, board in made.items()}


def plain(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard as Grafana's schema has it: the builder writes fields of other kinds of variables and panels too."""
    tree: dict[str, Any] = json.loads(JSONEncoder().encode(dashboard))
    tree.pop("style", None)
    for variable in tree["templating"]["list"]:
        for name in ("auto", "auto_count", "auto_min", "id"):
            variable.pop(name, None)
    for panel in tree["panels"]:
        if panel["type"] != "row" and panel.get("options") is None:
            panel["options"] = {}
    return tree


def main() -> int:
    """Write or check; exit status 1 when a file is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail where a file is out of date")
    check = parser.parse_args().check
    stale = []
    for name, text in dashboards().items():
        path = DIRECTORY / f"{name}.json"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{'out of date' if check else 'written'}: {', '.join(stale)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
