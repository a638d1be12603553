"""`edge-agent clips`."""

import argparse
import getpass
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from edge_agent.agent.clips.keeping import clips_dir
from edge_agent.clips.books import StoreLimits
from edge_agent.clips.errors import ClipError
from edge_agent.clips.export import export_clip
from edge_agent.clips.reasons import Reason
from edge_agent.clips.row import ClipRow
from edge_agent.clips.sidecar import OperatorLabel, Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.commands import options
from edge_agent.delivery.fields import rfc3339
from edge_agent.durable import sync_directory
from edge_agent.errors import CommandError

_S_PER_DAY = 86_400


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str, run: Callable[[ClipStore, argparse.Namespace], int]) -> argparse.ArgumentParser:
        found = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        options.add_state_dir(found)
        found.add_argument("--json", action="store_true", help="one JSON object per line")
        found.set_defaults(act=run)
        return found

    listing = action("list", "kept clips, the newest first", _list)
    _add_filter(listing)
    listing.add_argument("--limit", type=options.at_least(1), default=50, metavar="N", help="at most N (default: 50)")
    for name, summary, run in (
        ("show", "all that is known of a clip", _show),
        ("play-path", "path of a clip's file, to play it: aplay $(edge-agent clips play-path ID)", _play_path),
    ):
        action(name, summary, run).add_argument("clip", metavar="ID")
    label = action("label", "say what a clip is", _label)
    label.add_argument("clip", metavar="ID")
    label.add_argument("label", metavar="LABEL", help="normal, bearing, false_alarm, ...; an empty one takes it back")
    label.add_argument("--operator", metavar="NAME", help="who says so (default: your user name)")
    pin = action("pin", "never delete these to make room", _pin)
    pin.add_argument("clips", nargs="+", metavar="ID")
    pin.add_argument("--off", action="store_true", help="let them go again")
    export = action("export", "copy clips with their sidecars and pictures", _export)
    export.add_argument("clips", nargs="*", metavar="ID", help="these; none: all that the filter lets through")
    export.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory, made where it is not there")
    _add_filter(export)
    delete = action("delete", "delete clips, pinned ones too", _delete)
    delete.add_argument("clips", nargs="+", metavar="ID")
    action("verify", "read every clip and compare it with its hash", _verify)
    action("stats", "how much is kept, and why", _stats)


def run(arguments: argparse.Namespace) -> int:
    """Do the action."""
    root = clips_dir(options.state_dir(arguments))
    if not root.is_dir():
        raise CommandError(f"no clips in {root}; is --state-dir right, and clips.enabled set?")
    store = ClipStore(root, StoreLimits())
    try:
        if store.index_is_new:
            store.fill()
        status: int = arguments.act(store, arguments)
    finally:
        store.close()
    return status


def _add_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--machine", metavar="ID", help="of this machine only")
    parser.add_argument("--reason", choices=[reason.value for reason in Reason], help="kept for this reason only")
    parser.add_argument("--days", type=options.positive, metavar="N", help="of the last N days only")


def _since_ns(arguments: argparse.Namespace) -> int:
    return 0 if arguments.days is None else max(0, time.time_ns() - round(arguments.days * _S_PER_DAY * 1e9))


def _reason(arguments: argparse.Namespace) -> Reason | None:
    return None if arguments.reason is None else Reason(arguments.reason)


def _list(store: ClipStore, arguments: argparse.Namespace) -> int:
    rows = store.rows(
        machine=arguments.machine, reason=_reason(arguments), since_ns=_since_ns(arguments), limit=arguments.limit
    )
    for row in rows:
        print(json.dumps(_facts(row)) if arguments.json else _line(row))
    if not rows:
        print("no such clip", file=sys.stderr)
    return 0


def _facts(row: ClipRow) -> dict[str, object]:
    """What the list tells of a clip: what is the index's own affair is left out."""
    own = ("embedding", "sidecar_ns", "rank")
    facts = {key: value for key, value in asdict(row).items() if key not in own}
    return {**facts, "start": rfc3339(row.start_ns)}


def _line(row: ClipRow) -> str:
    score = "" if row.score is None or row.threshold is None else f"{row.score:.1f}/{row.threshold:.1f}"
    marks = [name for name, is_so in (("pinned", row.pinned), ("synced", row.synced)) if is_so]
    marks += [f"label={_printable(row.label)}"] if row.label else []
    marks += [row.speech] if row.speech in ("masked", "trimmed") else []
    size = f"{row.size_bytes / 1000:.0f} kB"
    return (
        f"{row.id}  {rfc3339(row.start_ns)[:19]}Z  {row.machine:16} {row.reason:9} {row.state:8} {score:9} {size:>8}  "
        f"{' '.join(marks)}".rstrip()
    )


def _show(store: ClipStore, arguments: argparse.Namespace) -> int:
    sidecar = store.find(arguments.clip)
    picture = store.picture_path(sidecar)
    if arguments.json:
        paths = {"path": str(store.payload_path(sidecar)), "picture": None if picture is None else str(picture)}
        print(json.dumps({**sidecar.model_dump(mode="json"), **paths}))
        return 0
    for name, value in _description(sidecar):
        print(f"{name:14} {value}")
    print(f"{'file':14} {store.payload_path(sidecar)}")
    if picture is not None:
        print(f"{'picture':14} {picture}  (the last normal window, then this one)")
    return 0


def _description(clip: Sidecar) -> list[tuple[str, object]]:
    judged, sound, origin = clip.judgement, clip.sound, clip.origin
    score = "not commissioned" if judged.score is None else f"{judged.score:.2f} (threshold {judged.threshold:.2f})"
    lines: list[tuple[str, object]] = [
        ("clip", clip.id),
        ("machine", f"{clip.machine} ({clip.machine_type}), {judged.state}, score {score}"),
        ("kept because", clip.reason.value + (f", alarm {clip.alarm}" if clip.alarm else "")),
        ("window", f"{clip.window_start}, {sound.window_s:g} s" + ("" if clip.clock_synced else ", clock not set")),
        (
            "holds",
            f"{sound.samples / sound.sample_rate_hz:.1f} s of {sound.kind}, window {sound.window_offset_s:g} s in",
        ),
        ("heard by", f"{origin.source} channel {origin.channel}, {_printable(origin.device)}, {origin.rate_hz} Hz"),
        (
            "coverage",
            f"{sound.coverage:.3f}" + (f", {sound.clipped_samples} samples clipped" * bool(sound.clipped_samples)),
        ),
        ("speech", f"{clip.speech.verdict} (policy {clip.speech.policy})"),
        ("models", f"{judged.bundle.name} {judged.bundle.version}"),
    ]
    if clip.label is not None:
        lines.append(
            ("label", f"{_printable(clip.label.label)}, said {_printable(clip.label.operator)} at {clip.label.at}")
        )
    lines.append(("kept for ever", "yes, pinned" if clip.pinned else "no"))
    lines.append(("at the hub", clip.synced_at or "not yet"))
    return lines


def _play_path(store: ClipStore, arguments: argparse.Namespace) -> int:
    sidecar = store.find(arguments.clip)
    if sidecar.sound.kind != "audio":
        raise CommandError(f"clip {sidecar.id} holds log-mel frames alone, there is nothing to play")
    print(store.payload_path(sidecar))
    return 0


def _label(store: ClipStore, arguments: argparse.Namespace) -> int:
    label: OperatorLabel | None = None
    if arguments.label:
        if len(arguments.label) > 128:
            raise CommandError(f"a label has at most 128 characters, this one {len(arguments.label)}; shorten it")
        operator = arguments.operator or _user()
        label = OperatorLabel(label=arguments.label, operator=operator[:128], at=rfc3339(time.time_ns()))
    store.change(arguments.clip, lambda clip: clip.model_copy(update={"label": label}))
    return 0


def _pin(store: ClipStore, arguments: argparse.Namespace) -> int:
    for clip_id in arguments.clips:
        store.change(clip_id, lambda clip: clip.model_copy(update={"pinned": not arguments.off}))
    return 0


def _export(store: ClipStore, arguments: argparse.Namespace) -> int:
    wanted = arguments.clips or store.ids(
        machine=arguments.machine, reason=_reason(arguments), since_ns=_since_ns(arguments)
    )
    exported, gone = 0, 0
    try:
        arguments.to.mkdir(parents=True, exist_ok=True)
        for clip_id in wanted:
            try:
                payload = export_clip(store, clip_id, arguments.to)
            except ClipError:
                if arguments.clips:
                    raise
                gone += 1  # the agent gave it up meanwhile, or it is damaged: the others are worth having
                continue
            exported += 1
            print(json.dumps({"clip": clip_id, "path": str(payload)}) if arguments.json else payload.name)
        sync_directory(arguments.to)
    except OSError as error:
        raise CommandError(
            f"{arguments.to}: {error.strerror}; {exported} of {len(wanted)} clips are there, each of them whole"
        ) from error
    left_out = f", {gone} left out (given up meanwhile, or damaged: edge-agent clips verify)" if gone else ""
    print(f"{exported} clips in {arguments.to}{left_out}", file=sys.stderr)
    return 0


def _delete(store: ClipStore, arguments: argparse.Namespace) -> int:
    for clip_id in arguments.clips:
        store.delete(clip_id)
    return 0


def _verify(store: ClipStore, arguments: argparse.Namespace) -> int:
    flaws = list(store.verify())
    for clip_id, flaw in flaws:
        print(json.dumps({"clip": clip_id, "flaw": flaw}) if arguments.json else f"{clip_id}  {flaw}")
    clips = sum(number for _, _, number, _ in store.totals())
    print(f"{clips} clips, {len(flaws)} not as they were written", file=sys.stderr)
    return 1 if flaws else 0


def _stats(store: ClipStore, arguments: argparse.Namespace) -> int:
    for reason, clips, size_bytes in sorted(store.stats().clips):
        if arguments.json:
            print(json.dumps({"reason": reason, "clips": clips, "bytes": size_bytes}))
        else:
            print(f"{reason:10} {clips:7} clips  {size_bytes / 1e6:9.1f} MB")
    if not arguments.json:
        totals = store.totals()
        clips, size_bytes = sum(number for _, _, number, _ in totals), sum(size for *_, size in totals)
        protected = sum(number for is_protected, _, number, _ in totals if is_protected)
        synced = sum(number for _, is_synced, number, _ in totals if is_synced)
        print(f"{'all':10} {clips:7} clips  {size_bytes / 1e6:9.1f} MB", end="")
        print(f", {protected} never deleted for room, {synced} at the hub")
    return 0


def _printable(text: str) -> str:
    """What a person typed, or a broker sent, without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user of a service that is in no list of users
        return f"uid {os.getuid()}"
