"""Ed25519 signatures over what goes on a stick (RFC 8032); each kind of file is signed in a context of its own."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge_agent.clips import files
from edge_agent.durable import sync_directory, temporary_of
from edge_agent.sync.errors import SyncError

EXPORT_CONTEXT = b"edge-agent export 1\0"
RECEIPT_CONTEXT = b"edge-agent receipt 1\0"
MAX_SIGNATURE_BYTES = 1024


class SigningKey:
    """A private key that never leaves its file.

    >>> key = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    >>> verify(key.public, EXPORT_CONTEXT, b"words", key.sign(EXPORT_CONTEXT, b"words"))
    >>> verify(key.public, RECEIPT_CONTEXT, b"words", key.sign(EXPORT_CONTEXT, b"words"))
    Traceback (most recent call last):
    edge_agent.sync.errors.SyncError: the signature is not of the key 'O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik='
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> str:
        """The public key, base64."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, context: bytes, content: bytes) -> bytes:
        """The signature, base64 and a line feed."""
        return base64.b64encode(self._key.sign(context + content)) + b"\n"


def open_key(path: Path) -> SigningKey:
    """The key in a file (PKCS-less: 32 bytes in base64), made on first use, mode 0600.

    Raises:
        SyncError: It cannot be made or read, holds no key, or is open to others.
    """
    try:
        if not path.exists():
            _make(path)
        status = path.stat()
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or not stat.S_ISREG(status.st_mode):
            raise SyncError(f"{path} must be a file that only its owner reads; chmod 0600 {path}")
        return SigningKey(Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_bytes(), validate=False)))
    except OSError as error:
        raise SyncError(f"{path}: {error.strerror}; check its rights and the disk") from error
    except ValueError:
        raise SyncError(f"{path} holds no key; restore it, or remove it and make the new one known") from None


def verify(public: str, context: bytes, content: bytes, signature: bytes) -> None:
    """Check a signature.

    Raises:
        SyncError: It is not of this key, or is none.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
    except (ValueError, binascii.Error):
        raise SyncError(f"{public!r} is no public key (32 bytes, base64)") from None
    try:
        key.verify(base64.b64decode(signature.strip(), validate=True), context + content)
    except (InvalidSignature, ValueError, binascii.Error):
        raise SyncError(f"the signature is not of the key {public!r}") from None


def _make(path: Path) -> None:
    """Whole or not at all: a half-written key would be a new identity that nobody knows."""
    content = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()) + b"\n"
    temporary = temporary_of(path.with_name(f"{os.getpid()}-{path.name}"))
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike a rename it never replaces a key that another process made meanwhile
    except FileExistsError:
        pass  # that one is as good
    finally:
        files.remove(temporary)
    sync_directory(path.parent)
