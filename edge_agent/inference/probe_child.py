"""The child process of `probe`: loads the model on standard input and runs it once. Imports nothing of the agent."""

import importlib
import resource
import sys

_MEMORY_BYTES = 2 << 30
_CPU_S = 15
REFUSED = 3


def main() -> int:
    """Exit status 0: it ran; 3: refused, with the reason on standard output; anything else: it crashed."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    content = sys.stdin.buffer.read()
    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        module = importlib.import_module("tflite_runtime.interpreter")
    try:
        interpreter = module.Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        detail = interpreter.get_input_details()[0]
        if int(detail["shape_signature"][0]) == -1:
            interpreter.resize_tensor_input(detail["index"], [2, *detail["shape"][1:]])
            interpreter.allocate_tensors()
        interpreter.invoke()
    except (ValueError, RuntimeError, MemoryError, IndexError) as error:
        print(str(error)[:300])
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
