import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "convert_tflite.py"


def test_the_tool_is_the_convert_command() -> None:
    done = subprocess.run([sys.executable, TOOL, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "training-hub convert" in done.stdout
    assert "--representative" in done.stdout
