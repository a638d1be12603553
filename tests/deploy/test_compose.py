"""The compose file: by its own schema, and by the rules that a stranger would hold it to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.agent import ROOT

COMPOSE = ROOT / "deploy" / "compose"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return found


def test_it_is_valid_by_the_schema_of_compose(compose: dict[str, Any], tmp_path: Path) -> None:
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path)]
    done = subprocess.run([*fetch, "docker-compose==1.29.2"], capture_output=True, text=True, check=False)
    wheel = next(tmp_path.glob("docker_compose-*.whl"), None)
    if wheel is None:
        assert os.environ.get("CI") != "true", done.stderr[-300:]
        pytest.skip("the schema of compose cannot be fetched")
    with zipfile.ZipFile(wheel) as archive:
        schema = json.loads(archive.read("compose/config/compose_spec.json"))
    checked = {key: value for key, value in compose.items() if key != "name"}  # `name` came after that version
    jsonschema.validate(checked, schema)


def test_only_the_loopback_is_published(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_services_are_hardened_and_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert re.search(r":[v0-9l][\w.-]+$", service["image"]) and not service["image"].endswith("latest"), name


def test_no_secret_is_a_variable(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY", variable):
                assert variable.endswith("FILE") and str(value).startswith("/run/secrets/"), variable


def test_files_that_it_mounts_are_there(compose: dict[str, Any]) -> None:
    mounts = [volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", ())]
    for path in (path for path in mounts if path.startswith(".")):
        assert (COMPOSE / path).exists(), path


def test_variables_of_the_hub_are_keys_of_its_settings(compose: dict[str, Any]) -> None:
    from edge_agent.settings.load import load
    from training_hub.config.settings import HubSettings

    settings = load(HubSettings, COMPOSE / "hub.toml", compose["services"]["hub"]["environment"])
    assert settings.storage.objects_url == "s3://machine-sound/hub"


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets"
    script.write_bytes((COMPOSE / "make-secrets").read_bytes())
    script.chmod(0o755)
    for _ in range(2):
        subprocess.run([script], check=True, capture_output=True)
    first = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run([script], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == first
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "secrets").iterdir())
    assert json.loads(first["s3_config.json"])["identities"][0]["credentials"][0]["secretKey"]
