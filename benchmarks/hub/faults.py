"""How well kinds of fault are told apart by nearest prototypes, on recordings of a directory, split by group.

    python benchmarks/hub/faults.py [--data DIR] [--bundle models/default]

Labels: the column `label` where there is one; else `code_*` conditions, and of an anomalous recording's group what
stands before its second hyphen. Prints, per machine type, what prototypes say of groups they were not made of, and of
faults they never heard. `--data` defaults to MACHINE_SOUND_DATA.
"""

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from edge_agent.inference.bundle import load_bundle
from training_hub.features.decode import decode_frames
from training_hub.retrain.directory import FoundClip, read_directory
from training_hub.retrain.faults import FloatArray, HeardFault, judge_faults
from training_hub.retrain.judging import Ear
from training_hub.training.normals import MIN_FRAMES, WINDOW_FRAMES


def label_of(clip: FoundClip) -> str | None:
    """The fault's name, where the recording has one."""
    if clip.label:
        return clip.label
    if clip.condition.startswith("code_"):
        return clip.condition
    return "-".join(clip.group.split("-")[:2]) if clip.condition == "anomaly" else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("MACHINE_SOUND_DATA"))
    parser.add_argument("--bundle", type=Path, default=Path("models/default"))
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data or set MACHINE_SOUND_DATA")
    ear = Ear(load_bundle(arguments.bundle))
    faults: dict[str, list[HeardFault]] = defaultdict(list)
    normals: dict[str, list[FloatArray]] = defaultdict(list)
    for clip in read_directory(Path(arguments.data)):
        label = label_of(clip)
        if clip.is_background or (label is None and clip.anomalous is not False):
            continue
        frames = decode_frames(clip.content, clip.kind, name=clip.name)
        cut = [frames[at : at + WINDOW_FRAMES] for at in range(0, len(frames), WINDOW_FRAMES)]
        heard = [ear.hear(window).embeddings for window in cut if len(window) >= MIN_FRAMES]
        embeddings = np.concatenate(heard) if heard else np.empty((0, 1), np.float32)
        if not embeddings.size:
            continue
        if label is None:
            normals[clip.machine_type].append(embeddings)
        else:
            faults[clip.machine_type].append(HeardFault(label, f"{clip.machine_id}/{clip.group}", embeddings))
    for machine_type, clips in sorted(faults.items()):
        # a type of which nobody kept a normal recording has its directions start at the middle of its faults
        origin = normals[machine_type] or [clip.embeddings for clip in clips]
        found = judge_faults(clips, origin)
        labels = sorted({clip.label for clip in clips})
        groups = len({clip.group for clip in clips})
        print(f"{machine_type}: {len(clips)} clips of {groups} recordings, {len(labels)} names")
        if found is None:
            print("  not judged: no name with two recordings or more")
            continue
        chance = 1.0 / len(found.confusion)
        print(
            f"  own name {found.named:.3f} (mean over names {found.balanced:.3f}, chance {chance:.3f}), "
            f"unknown {found.unknown:.3f}, another name {found.wrong:.3f}"
        )
        if found.strangers_unknown is not None:
            print(f"  faults never heard: {found.strangers_unknown:.3f} of {found.strangers} clips answered unknown")
        for label, row in sorted(found.confusion.items()):
            print(f"    {label:<16} {dict(sorted(row.items()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
