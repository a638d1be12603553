"""`edge-agent models`."""

import argparse
import os
from pathlib import Path

from edge_agent.config.agent import AgentSection
from edge_agent.config.model import ModelSection
from edge_agent.inference.bundle import load_bundle


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("bundle", nargs="?", default="default", help="name or directory of a bundle (default: default)")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where pulled bundles lie")


def run(arguments: argparse.Namespace) -> int:
    """Verify the bundle, run its self-test and print what it is."""
    state_dir = AgentSection(state_dir=arguments.state_dir).resolve_state_dir(os.environ)
    bundle = load_bundle(ModelSection(bundle=arguments.bundle).resolve_bundle(state_dir))
    manifest = bundle.manifest
    print(f"{manifest.name} {manifest.version}  sha256 {bundle.sha256}")
    print(f"  directory  {bundle.root}")
    print(f"  licence    {manifest.licence}")
    print("  verified   every hash, the signal contract and the golden recording; unsigned")
    print(f"  types      {', '.join(manifest.machine_types) or 'none'}")
    print(f"  identities {len(manifest.labels)}")
    for result in manifest.results:
        print(f"  measured   {result.name}: {result.value:g} {result.unit} {result.on}".rstrip())
    return 0
