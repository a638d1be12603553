"""Takes a bundle over as the agent does, killed at a step: `swap_child.py STATE ARCHIVE SHIPPED REFERENCE [STEP]`."""

import os
import signal
import sys
from pathlib import Path

from edge_agent.agent.profiles import ProfileStore
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.in_use import Slot, profiles_dir
from edge_agent.inference.manifest import BundleRef
from edge_agent.sync.updates.boot import begin
from edge_agent.sync.updates.prepare import Preparation, prepare
from edge_agent.sync.updates.shelf import Shelf

SET = f"{'0' * 16}-1"


def main(words: list[str]) -> None:
    state, archive, shipped, reference = Path(words[0]), Path(words[1]), Path(words[2]), words[3]
    kill_at = words[4] if len(words) > 4 else None

    def step(name: str) -> None:
        if name == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    current = begin(state, "default", lambda: load_bundle(shipped), lambda bundle: None).bundle
    shelf = Shelf(state, step)
    shelf.clear_incoming()
    slot = Slot(bundle=BundleRef.model_validate_json(reference), profiles=SET)
    work = Preparation(
        state_dir=state,
        archive=archive,
        expected=slot.bundle,
        former=current.root,
        profiles=SET,
        machines=ProfileStore(state).machines(),
        clips=state / "clips",
    )
    prepare(work, lambda phase: None, step)
    assert profiles_dir(state, SET).is_dir()
    load_bundle(state / "models" / "bundles" / slot.bundle.sha256, probe=False, self_test=False)
    shelf.switch(slot, current, rollout="01J00000000000000000000000", configured="default")
    shelf.tidy()


if __name__ == "__main__":
    main(sys.argv[1:])
