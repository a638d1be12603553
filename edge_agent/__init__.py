"""The edge agent: listens to machines, scores every window of sound, loses nothing.

Importing the package pins BLAS to one thread: the mel product of a block is small, threads only add jitter to it, and
the last bits of a feature would otherwise depend on the number of cores. A value already set is kept.
"""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
del _variable

__version__ = "0.1.0"
