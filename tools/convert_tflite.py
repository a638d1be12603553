"""Keras or SavedModel to quantised TFLite: `training-hub convert` under the name that people look for.

python tools/convert_tflite.py model.keras --representative inputs.npz --out model.tflite
"""

import sys

from training_hub.cli import main

if __name__ == "__main__":
    sys.exit(main(["convert", *sys.argv[1:]]))
