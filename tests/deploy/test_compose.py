"""The compose file: by its own schema, and by the rules that a stranger would hold it to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.agent import ROOT
from tests.support.hub_process import hub_process

COMPOSE = ROOT / "deploy" / "compose"
READERS = {
    "hub": 10001,
    "worker": 10001,
    "postgres": 0,
    "s3": 0,
    "mosquitto": 1883,
    "prometheus": 65534,
    "grafana": 472,
}
"""Users in the containers, as their images say."""


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


def test_compose_itself_takes_it(tmp_path: Path) -> None:
    """Its own client, which needs no engine for it, resolves services, secrets, volumes and what waits for what."""
    if shutil.which("docker-compose") is None:
        assert os.environ.get("CI") != "true", "CI must run these tests: docker-compose is not installed"
        pytest.skip("docker-compose is not installed")
    text = re.sub(r"(?m)^name: .*\n", "", (COMPOSE / "compose.yaml").read_text())  # `name` came after Debian's version

    def resolved(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "compose.yaml").write_text(text)
        command = ["docker-compose", "-f", str(tmp_path / "compose.yaml"), "config"]
        # Debian's is a script of the system's own Python
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environ)

    done = resolved(text)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert services["worker"]["command"][0] == "worker" and "ports" not in services["worker"]
    for name in ("hub", "worker"):
        assert services[name]["depends_on"]["postgres"] == {"condition": "service_healthy"}
        assert services[name]["read_only"] and services[name]["environment"] == services["hub"]["environment"]
    for right, wrong in (("cap_drop", "cap_dorp"), ("s3: {cond", "s4: {cond"), ("hub:/var", "hup:/var")):
        assert right in text and resolved(text.replace(right, wrong)).returncode != 0, wrong


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


def test_the_hubs_user_is_the_one_of_its_image() -> None:
    assert f"--uid {READERS['hub']} " in (COMPOSE / "Dockerfile").read_text()


def test_secrets_are_made_once_and_belong_to_who_reads_them(compose: dict[str, Any], tmp_path: Path) -> None:
    """Compose shows a file with the owner and mode that it has outside: another user's container could not read it."""
    _needs_root()
    for _ in range(2):
        _make_secrets(tmp_path)
    directory = tmp_path / "secrets"
    first = {path.name: path.read_text() for path in directory.iterdir()}
    _make_secrets(tmp_path)
    assert {path.name: path.read_text() for path in directory.iterdir()} == first
    assert json.loads(first["s3_config.json"])["identities"][0]["credentials"][0]["secretKey"]
    files = {name: directory / Path(secret["file"]).name for name, secret in compose["secrets"].items()}
    assert set(files.values()) == set(directory.iterdir())
    for path in files.values():
        assert path.stat().st_mode & 0o077 == 0, path.name
    for name, service in compose["services"].items():
        for secret in service.get("secrets", ()):
            reads_all = READERS[name] == 0 and "DAC_OVERRIDE" in service.get("cap_add", ())
            assert reads_all or files[secret].stat().st_uid == READERS[name], (name, secret)


def test_without_root_no_secret_is_made(tmp_path: Path) -> None:
    _needs_root()
    tmp_path.chmod(0o777)
    done = _make_secrets(tmp_path, user=65534, check=False)
    assert done.returncode == 1 and "run it as root" in done.stderr
    assert not (tmp_path / "secrets").exists()


def test_prometheus_asks_the_hub_with_a_key_that_it_is_given(compose: dict[str, Any]) -> None:
    """The hub shows its metrics to its own computer, which another container is not, and to people's keys."""
    jobs = {job["job_name"]: job for job in yaml.safe_load((COMPOSE / "prometheus.yml").read_text())["scrape_configs"]}
    key = Path(jobs["training-hub"]["authorization"]["credentials_file"])
    assert key.parent == Path("/run/secrets") and key.name in compose["services"]["prometheus"]["secrets"]


def test_the_hub_of_the_file_is_found_healthy(compose: dict[str, Any], tmp_path: Path) -> None:
    """With its settings, by the very command of its health check."""
    health = compose["services"]["hub"]["healthcheck"]["test"]
    assert health[:2] == ["CMD", "python"]
    with hub_process(tmp_path, (COMPOSE / "hub.toml").read_text()) as hub:
        command = [
            word.replace("http://127.0.0.1:8400", hub.url.replace("0.0.0.0", "127.0.0.1")) for word in health[2:]
        ]
        assert command != health[2:]
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        hub.stop()
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode != 0, "nobody is there"


def _needs_root() -> None:
    if os.geteuid() != 0:
        assert os.environ.get("CI") != "true", "CI must run these tests: needs root"
        pytest.skip("needs root")


def _make_secrets(place: Path, user: int = 0, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    script = place / "make-secrets"
    script.write_bytes((COMPOSE / "make-secrets").read_bytes())
    script.chmod(0o755)
    return subprocess.run(["/bin/sh", script.name], cwd=place, user=user, capture_output=True, text=True, check=check)
