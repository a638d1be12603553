"""Keeps what a native library tells for its own developers off standard error."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_CHATTER = b"INFO: "


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, then pass on all but lines that begin with `INFO: `.

    TFLite tells of every delegate that it makes, from C++ and with no setting against it. Warnings and errors, and
    what other threads write meanwhile, come out a moment later.
    """
    try:
        kept = os.dup(_STDERR)
    except OSError:  # a daemon without standard error has nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, _STDERR)
            os.close(kept)
            held.seek(0)
            rest = b"".join(line for line in held if not line.startswith(_CHATTER))
            while rest:
                rest = rest[os.write(_STDERR, rest) :]
