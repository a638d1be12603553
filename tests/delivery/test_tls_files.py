"""Certificates and keys that cannot be used: which one, why, and what mends it; never a question on the terminal."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.mqtt_settings import TlsSettings
from tests.support.certificates import needs_openssl

pytestmark = needs_openssl

_SCRIPT = """
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -out own.crt -subj /CN=gw -days 2
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key
openssl pkey -in own.key -aes256 -passout pass:word -out secret.key
openssl ec -in own.key -aes256 -passout pass:word -out older.key
echo junk > junk
mkdir folder
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(["bash", "-c", _SCRIPT], cwd=directory, check=True, capture_output=True)
    return directory


@pytest.mark.parametrize(
    ("ca", "certificate", "key", "said"),
    [
        ("own.crt", "own.crt", "secret.key", "secret.key has a passphrase; write it without: openssl pkey"),
        ("own.crt", "own.crt", "older.key", "older.key has a passphrase"),
        ("own.crt", "own.crt", "other.key", "other.key is not the key of"),
        ("own.crt", "own.crt", "absent.key", "absent.key of mqtt.tls cannot be read: No such file"),
        ("own.crt", "own.crt", "folder", "folder of mqtt.tls cannot be read: Is a directory"),
        ("own.crt", "junk", "own.key", "junk and .* hold no certificate and its key"),
        ("junk", "own.crt", "own.key", "ca_file .*junk holds no certificate"),
        ("absent.crt", "own.crt", "own.key", "absent.crt of mqtt.tls cannot be read"),
    ],
)
def test_the_file_and_the_mend_are_named(files: Path, ca: str, certificate: str, key: str, said: str) -> None:
    with pytest.raises(DeliveryError, match=said) as raised:
        TlsSettings(files / ca, files / certificate, files / key).context()
    assert raised.value.failure is Failure.INVALID


def test_what_fits_is_taken(files: Path) -> None:
    TlsSettings(files / "own.crt", files / "own.crt", files / "own.key").context()
    TlsSettings().context()  # the system's authorities
