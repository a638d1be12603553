"""`edge-agent models`."""

import argparse
import os
from pathlib import Path

from edge_agent.config.agent import AgentSection
from edge_agent.config.model import ModelSection
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.in_use import Slot, bundle_dir, read_in_use

ROLLBACK = "rollback"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "bundle",
        nargs="?",
        metavar="BUNDLE|rollback",
        help="name or directory of a bundle to verify (default: what is in use); rollback: use the last good one again",
    )
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where bundles of the hub lie")


def run(arguments: argparse.Namespace) -> int:
    """Verify a bundle, run its self-test and print what it is; or go back to the last good one."""
    state_dir = AgentSection(state_dir=arguments.state_dir).resolve_state_dir(os.environ)
    if arguments.bundle == ROLLBACK:
        return _roll_back(state_dir)
    if arguments.bundle is not None:
        _show(load_bundle(ModelSection(bundle=arguments.bundle).configured_bundle(state_dir)), "unsigned")
        return 0
    in_use = read_in_use(state_dir)
    if in_use is None:
        _show(load_bundle(ModelSection().configured_bundle(state_dir)), "unsigned")
    else:
        active = in_use.active
        _show(load_bundle(bundle_dir(state_dir, active.bundle.sha256)), "as its signed metadata has it")
        standing = "" if in_use.confirmed else f", not confirmed yet ({in_use.boots} starts)"
        print(f"  in use     with the profiles {active.profiles}{standing}" + _of(in_use.rollout))
        if in_use.last_good is not None:
            print(f"  last good  {_slot(in_use.last_good)}; `edge-agent models rollback` uses it again")
        for one in in_use.declined[-3:]:
            print(f"  left       {one.bundle.name} {one.bundle.version}, {one.phase}: {one.why}{_of(one.rollout)}")
    _show_update(state_dir)
    return 0


def _show(bundle: Bundle, signature: str) -> None:
    manifest = bundle.manifest
    print(f"{manifest.name} {manifest.version}  sha256 {bundle.sha256}")
    print(f"  directory  {bundle.root}")
    print(f"  licence    {manifest.licence}")
    print(f"  verified   every hash, the signal contract and the golden recording; {signature}")
    print(f"  types      {', '.join(manifest.machine_types) or 'none'}")
    print(f"  identities {len(manifest.labels)}")
    for result in manifest.results:
        print(f"  measured   {result.name}: {result.value:g} {result.unit} {result.on}".rstrip())


def _show_update(state_dir: Path) -> None:
    from edge_agent.sync.updates.notice import read  # noqa: PLC0415  # not for those without a hub

    notice = read(state_dir)
    if notice is None:
        return
    report = notice.report
    print(f"  incoming   {report.bundle.name} {report.bundle.version}, {report.phase}{_of(report.rollout)}")
    if report.why:
        print(f"             {report.why}")
    shadow = report.shadow
    if shadow is None:
        return
    print(f"  shadow     {shadow.windows} windows compared, {shadow.errors} failed, {notice.shed} not shown")
    if shadow.percentile_shift is not None:
        print(f"             scores move by {shadow.percentile_shift:+.1f} points of percentile at most")
    if shadow.exceedance_new is not None and shadow.exceedance_old is not None:
        print(f"             above the threshold {shadow.exceedance_new:.1%}, now {shadow.exceedance_old:.1%}")
    if shadow.latency_ratio is not None:
        print(f"             {shadow.latency_ratio:.2f} times the computing")


def _roll_back(state_dir: Path) -> int:
    from edge_agent.sync.updates.errors import UpdateError  # noqa: PLC0415
    from edge_agent.sync.updates.shelf import Shelf  # noqa: PLC0415

    in_use = read_in_use(state_dir)
    if in_use is None or in_use.last_good is None:
        raise CommandError(f"{state_dir / 'models'}: there is no last good bundle to go back to")
    load_bundle(bundle_dir(state_dir, in_use.last_good.bundle.sha256))
    try:
        back = Shelf(state_dir).go_back("asked for on the gateway")
    except UpdateError as error:
        raise CommandError(str(error)) from error
    assert back is not None
    print(f"in use again: {_slot(back.active)}; a running agent takes it over within seconds")
    return 0


def _slot(slot: Slot) -> str:
    return f"{slot.bundle.name} {slot.bundle.version} ({slot.bundle.sha256[:12]}), profiles {slot.profiles}"


def _of(rollout: str | None) -> str:
    return "" if rollout is None else f", rollout {rollout}"
