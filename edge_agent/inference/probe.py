"""A first look at an unsigned model in a process that may crash."""

import subprocess
import sys
from pathlib import Path

from edge_agent.inference.errors import BundleError
from edge_agent.inference.runtime import check_flatbuffer

TIMEOUT_S = 20.0
_CHILD = Path(__file__).with_name("probe_child.py")


def probe_model(content: bytes, *, name: str, timeout_s: float = TIMEOUT_S, child: Path = _CHILD) -> None:
    """Load and run a model once in a child process with bounded memory and time.

    A crafted model can crash the interpreter, and the agent with it; a hash only says that the file is the one its
    manifest means. Measured: 0.1 s.

    Args:
        content: The model file's bytes.
        name: The file's name, for messages.
        timeout_s: Longest the child may take.
        child: The program that the child runs.

    Raises:
        BundleError: The model crashed the interpreter, was refused by it, took too long or too much memory.
    """
    check_flatbuffer(content, name=name)
    command = [sys.executable, "-P", str(child)]  # -P: this directory's modules must not shadow others
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"{name}: the model ran longer than {timeout_s} s on one input; refuse it") from error
    if done.returncode == 0:
        return
    if done.returncode == 3:
        reason = done.stdout.decode(errors="replace")[:300].strip()
        raise BundleError(f"{name}: the TFLite runtime refuses the model: {reason}; convert it again")
    cause = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
    detail = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    raise BundleError(f"{name}: the model crashes the TFLite runtime ({cause}, {detail}); do not use it")
