"""A certificate authority, and certificates of it that are good, expired, or of another authority."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

_SCRIPT = r"""
set -e
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.crt -subj /CN=$1 -days 2 \
    -addext basicConstraints=critical,CA:TRUE
}
sign() { # name authority subject [dates]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj /CN=$3
  printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=IP:127.0.0.1' > ext
  rm -rf ca.db; mkdir ca.db; touch ca.db/index.txt
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=ca.db/index.txt\nnew_certs_dir=ca.db\n' > ca.cnf
  printf 'rand_serial=yes\ndefault_md=sha256\n' >> ca.cnf
  printf 'policy=p\nunique_subject=no\n[p]\ncommonName=supplied\n' >> ca.cnf
  openssl ca -batch -config ca.cnf -cert $2.crt -keyfile $2.key -in $1.csr -out $1.crt -extfile ext $4 $5 $6 $7
}
authority ca
authority other
sign broker ca broker -days 2
sign gw ca gw -days 2
sign stranger other gw -days 2
sign expired ca gw -startdate 20200101000000Z -enddate 20200201000000Z
sign broker_expired ca broker -startdate 20200101000000Z -enddate 20200201000000Z
"""


def make_certificates(directory: Path) -> Path:
    """`ca`, `other`; of ca: `broker`, `gw`, `expired`, `broker_expired`; of other: `stranger`; each `.crt`, `.key`."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["bash", "-c", _SCRIPT], cwd=directory, check=True, capture_output=True)
    return directory


def tls_listener(directory: Path, broker: str = "broker") -> str:
    """mosquitto's configuration: TLS, and a certificate of `ca` from everybody."""
    return (
        f"cafile {directory}/ca.crt\ncertfile {directory}/{broker}.crt\nkeyfile {directory}/{broker}.key\n"
        "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n"
    )
