"""What is given back after the start is not missed."""

import subprocess
import sys

PROGRAM = """
import re
import numpy as np
from edge_agent.daemon.settling import Leftovers
from edge_agent.inference.bundle import load_bundle
from tests.support.agent import BUNDLE

def resident_kb(kind):
    with open("/proc/self/status") as status:
        return int(re.search(rf"^{kind}:\\s+(\\d+) kB$", status.read(), re.MULTILINE)[1])

bundle = load_bundle(BUNDLE)
patches = np.random.default_rng(1).normal(-50.0, 6.0, (3, 64, 128)).astype(np.float32)
before, leftovers = bundle.encoder().encode(patches), Leftovers()
files = resident_kb("RssFile")
leftovers.let_go()
print(files - resident_kb("RssFile"))
bundle.self_test()
after = bundle.encoder().encode(patches)
assert np.array_equal(before.embeddings, after.embeddings)
assert np.array_equal(before.logits, after.logits)
import sqlite3, ssl  # libraries can still be loaded
leftovers.let_go()
assert ssl.create_default_context() and sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
"""


THREADED = """
import threading
from edge_agent.daemon.settling import Leftovers
stop = threading.Event()
other = threading.Thread(target=stop.wait)
other.start()
leftovers = Leftovers()
stop.set()
other.join()
print(leftovers.pages)
"""


def test_pages_of_libraries_go_and_come_back_as_they_were() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5_000


def test_where_another_thread_may_load_a_library_none_is_touched() -> None:
    done = subprocess.run([sys.executable, "-c", THREADED], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "0\n"
