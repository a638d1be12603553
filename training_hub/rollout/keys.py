"""Ed25519 keys in files: of people, with a passphrase, and of the hub, for it alone to read."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from training_hub.rollout.errors import RolloutError

MIN_PASSPHRASE = 12
_MAX_KEY_BYTES = 16 << 10


def create_key(path: Path, passphrase: str | None) -> CryptoSigner:
    """Make a key; an existing file is never replaced.

    Args:
        path: The file, PEM, mode 0600.
        passphrase: What encrypts it; None only for the hub's own keys, which no person is there to unlock.

    Raises:
        RolloutError: The passphrase is too short, or the file is there or cannot be written.
    """
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE:
        raise RolloutError(f"the passphrase of {path} has {len(passphrase)} characters; use at least {MIN_PASSPHRASE}")
    key = Ed25519PrivateKey.generate()
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        encryption = BestAvailableEncryption(passphrase.encode())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise RolloutError(f"{path} is there already; a key is never overwritten: name another file") from error
    except OSError as error:
        raise RolloutError(f"{path} cannot be written: {error.strerror}") from error
    return CryptoSigner(key)


def load_key(path: Path, passphrase: str | None) -> CryptoSigner:
    """Read a key.

    Raises:
        RolloutError: No such key, or another passphrase.
    """
    try:
        with path.open("rb") as file:
            pem = file.read(_MAX_KEY_BYTES)
        key = load_pem_private_key(pem, None if passphrase is None else passphrase.encode())
    except OSError as error:
        raise RolloutError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise RolloutError(f"{path} cannot be opened: no PEM key, or not this passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RolloutError(f"{path} is no Ed25519 key; make one with `training-hub publish key`")
    return CryptoSigner(key)
