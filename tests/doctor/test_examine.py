"""The command as a person runs it, on real files, sources and the shipped model."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_agent.cli import main
from edge_agent.doctor.support import REDACTED, redact
from tests.support.broker import free_port

CONFIG = """
[agent]
state_dir = "{state}"
[http]
port = {port}
token_file = "{token}"
[mqtt]
enabled = {mqtt}
port = 1
username = "gateway"
password_file = "{password}"
[[machine]]
id = "fan"
[[source]]
id = "mic"
{source}
[[source.channel]]
machine = "fan"
"""


class Site:
    """A gateway's files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "agent.toml"
        for name in ("password", "token"):
            (directory / name).write_text(f"the-{name}-is-secret\n")
            (directory / name).chmod(0o600)

    def configure(self, source: str = 'kind = "simulated"', *, mqtt: bool = False) -> None:
        self.config.write_text(
            CONFIG.format(
                state=self.directory / "state", port=free_port(), token=self.directory / "token",
                password=self.directory / "password", source=source, mqtt=str(mqtt).lower(),
            )
        )  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    page = json.loads(capsys.readouterr().out)
    return {finding["topic"]: (finding["state"], finding["summary"]) for finding in page["findings"]}


def test_a_sound_gateway_passes(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.configure()
    assert main(["doctor", "--config", str(site.config), "--json"]) == 0
    found = findings(capsys)
    assert {state for state, _ in found.values()} <= {"ok", "warn"}
    assert found["configuration"] == ("ok", "1 sources, 1 machines")
    assert "self-test passed" in found["model"][1]
    assert found["source mic"][0] == "ok"
    assert found["machine"][0] == "warn"  # not commissioned yet
    assert found["hub"] == ("ok", "not used (hub.enabled is false)")
    assert set(found) >= {"disk", "clock", "memory", "permissions", "port", "service", "broker"}


def test_the_page_says_what_to_do(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.configure(mqtt=True)
    assert main(["doctor", "--config", str(site.config)]) == 1
    page = capsys.readouterr().out
    assert "FAIL  broker" in page and "-> is it running" in page
    assert page.splitlines()[-1].endswith("1 must be mended")
    assert len(page.splitlines()) < 40


def test_a_bad_configuration_fails_and_the_rest_is_still_looked_at(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.config.write_text("[agent]\nsight = 1\n")
    assert main(["doctor", "--config", str(site.config), "--json"]) == 1
    found = findings(capsys)
    assert found["configuration"] == ("fail", f"{site.config}:2: agent.sight: unknown key; did you mean 'site'?")
    assert {"disk", "clock", "memory", "service"} <= set(found)


@pytest.mark.parametrize(
    ("samples", "state", "words"),
    [
        (np.zeros(32_000), "warn", "silent"),
        (np.clip(2.0 * np.sin(np.arange(32_000) / 9), -1, 1), "warn", "clipped"),
        (0.1 * np.sin(np.arange(32_000) / 9), "ok", "-23 dBFS"),
    ],
    ids=["silence", "clipping", "sound"],
)
def test_what_a_source_gives(
    site: Site, capsys: pytest.CaptureFixture[str], samples: np.ndarray, state: str, words: str
) -> None:
    recording = site.directory / "sound.wav"
    soundfile.write(recording, samples, 16_000, subtype="PCM_16")
    site.configure(f'kind = "replay"\npaths = ["{recording}"]')
    main(["doctor", "--config", str(site.config), "--json"])
    found = findings(capsys)
    assert found["source mic"][0] == state and words in found["source mic"][1]


def test_a_device_that_is_not_there_fails(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.configure('kind = "microphone"\ndevice = "usb:9-9.9"')
    assert main(["doctor", "--config", str(site.config), "--json"]) == 1
    assert findings(capsys)["source mic"][0] == "fail"


def test_the_support_bundle_holds_all_but_secrets(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.configure(mqtt=True)
    bundle = site.directory / "support.tar.gz"
    main(["doctor", "--config", str(site.config), "--bundle-file", str(bundle)])
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes())) as archive:
        texts = {Path(name).name: archive.extractfile(name).read().decode() for name in archive.getnames()}  # type: ignore[union-attr]
    assert {"doctor.txt", "doctor.json", "settings.json", "versions.txt", "system.txt", "log.txt"} <= set(texts)
    assert json.loads(texts["settings.json"])["source"][0]["id"] == "mic"
    assert "numpy" in texts["versions.txt"]
    assert "is-secret" not in "".join(texts.values())


SECRETS = {"password": "correct-horse", "stream": "battery-staple/with:odd@signs", "token": "a-very-secret-token-9"}


def test_no_secret_of_any_kind_gets_into_the_support_bundle(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted where they may come from: files of every section, lines of the log, addresses."""
    for name, secret in SECRETS.items():
        (site.directory / name).write_text(secret + "\n")
        (site.directory / name).chmod(0o600)
    keys = f'url = "rtsp://127.0.0.1:9/x"\nusername = "camera"\npassword_file = "{site.directory}/stream"'
    site.configure(f'kind = "stream"\n{keys}', mqtt=True)
    leak = f"{' '.join(SECRETS.values())} rtsp://camera:{SECRETS['stream']}@h mqtt://u:other-pass@h token=abcdef"
    journal = site.directory / "bin" / "journalctl"
    journal.parent.mkdir()
    journal.write_text(f"#!/bin/sh\necho '{leak}'\n")
    journal.chmod(0o755)
    monkeypatch.setenv("PATH", f"{journal.parent}:{os.environ['PATH']}")
    bundle = site.directory / "support.tar.gz"
    main(["doctor", "--config", str(site.config), "--bundle-file", str(bundle)])
    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes())) as archive:
        texts = {Path(name).name: archive.extractfile(name).read().decode() for name in archive.getnames()}  # type: ignore[union-attr]
    assert texts["log.txt"].count(REDACTED) >= 5, "the log was taken, and cleaned"
    for secret in (*SECRETS.values(), "battery-staple", "other-pass", "abcdef"):
        assert [name for name, content in texts.items() if secret in content] == []


def test_a_secret_that_others_can_read_is_told_though_the_broker_is_away(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.configure(mqtt=True)
    (site.directory / "password").chmod(0o644)
    assert main(["doctor", "--config", str(site.config), "--json"]) == 1
    state, said = findings(capsys)["secret"]
    assert state == "fail" and "mqtt.password_file" in said and "chmod 0600" in said


def test_an_existing_file_is_not_overwritten(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.configure()
    existing = site.directory / "support.tar.gz"
    existing.write_text("mine")
    assert main(["doctor", "--config", str(site.config), "--bundle-file", str(existing)]) == 1
    assert existing.read_text() == "mine"
    assert str(existing) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a hunter2 b", f"a {REDACTED} b"),
        ("mqtt://joe:pw@host:1883", f"mqtt://{REDACTED}@host:1883"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {REDACTED}"),
        ("password = xyz", f"password = {REDACTED}"),
        ("nothing here", "nothing here"),
    ],
    ids=["known", "in an address", "bearer", "assigned", "clean"],
)
def test_redaction(text: str, clean: str) -> None:
    assert redact(text, ["hunter2", ""]) == clean
