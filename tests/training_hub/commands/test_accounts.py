"""Accounts from the command line: no secret in an argument, a key shown once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.hub import write_secret
from training_hub import cli
from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import ApiKey, AuditEntry, User


def _run(tmp_path: Path, *words: str) -> int:
    return cli.main([*words, "--state-dir", str(tmp_path / "hub")])


def _database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'hub' / 'hub.db'}")


def test_a_user_is_added_with_a_password_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = write_secret(tmp_path / "password", "a long enough one").path
    assert _run(tmp_path, "users", "add", "anna", "--role", "admin", "--password-file", secret) == 0
    assert _run(tmp_path, "users", "list") == 0
    assert capsys.readouterr().out == "anna\tadmin\tenabled\tpassword\n"
    with _database(tmp_path).transaction(writes=False) as session:
        kept = session.query(User).one().password_hash
        assert kept is not None
        assert kept.startswith("$argon2id$")
        assert [entry.action for entry in session.query(AuditEntry)] == ["user.add"]


@pytest.mark.parametrize(
    ("password", "mode", "message"),
    [("short", 0o600, "10 to 256 letters"), ("a long enough one", 0o644, "open to others")],
)
def test_a_bad_password_file_adds_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], password: str, mode: int, message: str
) -> None:
    file = tmp_path / "password"
    file.write_text(password)
    file.chmod(mode)
    assert _run(tmp_path, "users", "add", "anna", "--password-file", str(file)) in (1, 78)
    captured = capsys.readouterr()
    assert message in captured.err
    assert password not in captured.err
    assert not (tmp_path / "hub").exists()


def test_without_a_terminal_nobody_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, "users", "add", "anna") == 1
    assert "--password-file" in capsys.readouterr().err


def test_a_gateways_key_is_shown_once_and_kept_as_a_hash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, "gateways", "add", "plant_1", "gw_1", "--ring", "canary") == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("thg_")
    assert key.encode() not in (tmp_path / "hub" / "hub.db").read_bytes()
    assert _run(tmp_path, "gateways", "list") == 0
    assert capsys.readouterr().out == "plant_1/gw_1\tcanary\tenabled\tseen never\n"


def test_a_key_goes_to_a_new_file_of_its_owners(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "key"
    assert _run(tmp_path, "gateways", "add", "plant_1", "gw_1", "--key-file", str(file)) == 0
    assert capsys.readouterr().out == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("thg_")
    assert _run(tmp_path, "gateways", "new-key", "plant_1", "gw_1", "--key-file", str(file)) == 1
    with _database(tmp_path).transaction(writes=False) as session:
        assert session.query(ApiKey).filter(ApiKey.revoked_at.is_(None)).count() == 1, "the old key lives on"


def test_a_new_key_ends_the_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run(tmp_path, "gateways", "add", "plant_1", "gw_1")
    _run(tmp_path, "gateways", "new-key", "plant_1", "gw_1")
    _run(tmp_path, "gateways", "new-key", "plant_1", "gw_1", "--keep-old")
    with _database(tmp_path).transaction(writes=False) as session:
        assert [key.revoked_at is None for key in session.query(ApiKey).order_by(ApiKey.id)] == [False, True, True]


@pytest.mark.parametrize(
    "words",
    [
        ("users", "set-role", "nobody", "admin"),
        ("gateways", "add", "../plant", "gw_1"),
        ("gateways", "disable", "plant_1", "gw_9"),
        ("gateways", "set-certificate", "plant_1", "gw_1", "abc"),
        ("keys", "add", "nobody"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    _run(tmp_path, "gateways", "add", "plant_1", "gw_1")
    capsys.readouterr()
    assert _run(tmp_path, *words) == 1
    assert capsys.readouterr().err.startswith("training-hub: ")
