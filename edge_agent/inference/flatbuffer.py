"""Whether bytes can be a TFLite model at all."""

from edge_agent.inference.errors import BundleError

_IDENTIFIER = b"TFL3"


def check_flatbuffer(content: bytes, *, name: str) -> None:
    """Refuse bytes that cannot be a TFLite model, before an interpreter written in C++ follows the offsets in them.

    A model may pass and still be hostile: `probe.ModelProbe` runs an unsigned one in a process of its own first.

    Raises:
        BundleError: Too short, without the identifier `TFL3`, or with a root table outside the file.
    """
    if len(content) < 16 or content[4:8] != _IDENTIFIER:
        raise BundleError(f"{name}: not a TFLite model (no {_IDENTIFIER.decode()} identifier); convert the model again")
    root = int.from_bytes(content[:4], "little")
    if not 8 <= root <= len(content) - 4:
        raise BundleError(f"{name}: damaged TFLite model (root table at byte {root} of {len(content)}); copy it again")
    vtable = root - int.from_bytes(content[root : root + 4], "little", signed=True)
    if not 0 <= vtable <= len(content) - 4:
        raise BundleError(f"{name}: damaged TFLite model (vtable at byte {vtable} of {len(content)}); copy it again")
