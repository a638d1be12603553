"""A first look at an unsigned model in a process that may crash."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from edge_agent.inference.errors import BundleError
from edge_agent.inference.files import read_plain, read_verified
from edge_agent.inference.flatbuffer import check_flatbuffer
from edge_agent.inference.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, parse_manifest

TIMEOUT_S = 20.0
_CHILD = Path(__file__).with_name("probe_child.py")


class ModelProbe:
    """Loads and runs a model once in a child process with bounded memory and time, while others work.

    A crafted model can crash the interpreter, and the agent with it; a hash only says that the file is the one its
    manifest means. Takes 0.15 s, begun at once. As a context it ends the child where nobody waited for it.

    Args:
        content: The model file's bytes.
        name: The file's name, for messages.
        timeout_s: Longest to wait for the child.
        child: The program that the child runs.

    Raises:
        BundleError: The bytes can be no model.
    """

    def __init__(self, content: bytes, *, name: str, timeout_s: float = TIMEOUT_S, child: Path = _CHILD) -> None:
        check_flatbuffer(content, name=name)
        self.content = content
        self.name = name
        self._timeout_s = timeout_s
        self._said: tuple[bytes, bytes] | None = None
        command = [sys.executable, "-P", str(child)]  # -P: this directory's modules must not shadow others
        with open(os.memfd_create("model"), "w+b") as file:
            file.write(content)
            file.seek(0)
            self._process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child where it still runs."""
        if self._said is None:
            self._process.kill()
            self._said = self._process.communicate()

    def wait(self) -> None:
        """Wait for the child's verdict.

        Raises:
            BundleError: The model crashed the interpreter, was refused by it, took too long or too much memory.
        """
        try:
            if self._said is None:
                self._said = self._process.communicate(timeout=self._timeout_s)
        except subprocess.TimeoutExpired as error:
            self.close()
            raise BundleError(
                f"{self.name}: the model ran longer than {self._timeout_s} s on one input; refuse it"
            ) from error
        said, complained = self._said
        status = self._process.returncode
        if status == 0:
            return
        if status == 3:
            reason = said.decode(errors="replace")[:300].strip()
            raise BundleError(f"{self.name}: the TFLite runtime refuses the model: {reason}; convert it again")
        cause = f"signal {-status}" if status < 0 else f"exit status {status}"
        detail = complained.decode(errors="replace").strip().splitlines()[-1:]
        raise BundleError(f"{self.name}: the model crashes the TFLite runtime ({cause}, {detail}); do not use it")


def probe_model(content: bytes, *, name: str, timeout_s: float = TIMEOUT_S, child: Path = _CHILD) -> None:
    """Probe a model and wait for the verdict; arguments as of `ModelProbe`.

    Raises:
        BundleError: The model is not to be used.
    """
    with ModelProbe(content, name=name, timeout_s=timeout_s, child=child) as probe:
        probe.wait()


def early_probe(path: Path) -> ModelProbe | None:
    """Begin to probe the model of a bundle before all else that loading it needs is imported.

    Returns:
        None for a bundle with a flaw: `load_bundle` says which.
    """
    try:
        root = path.resolve(strict=True)
        manifest = parse_manifest(read_plain(root / MANIFEST_NAME, MAX_MANIFEST_BYTES), path=root / MANIFEST_NAME)
        entry = next((entry for entry in manifest.files if entry.path == manifest.encoder.file), None)
        return None if entry is None else ModelProbe(read_verified(root, entry), name=str(root / entry.path))
    except (BundleError, OSError):
        return None
