"""`training-hub import`."""

import argparse
import os
import sys
from pathlib import Path

from training_hub.commands._settings import add_settings_arguments, settings_of

NAME = "import"
HELP = "take clips and events of a gateway from a USB stick, and leave a receipt on it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("stick", type=Path, nargs="?", metavar="DIR", help="an export, or the directory it lies in")
    parser.add_argument(
        "--receipt-to", type=Path, metavar="DIR", help="write the receipt there: the stick cannot be written"
    )
    parser.add_argument("--check", action="store_true", help="check signature and hashes, and take nothing")
    parser.add_argument(
        "--show-key", action="store_true", help="show the hub's public key, for hub.receipt_key of the gateways"
    )
    add_settings_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check every export first; then take them."""
    from edge_agent.sync.airgap.signing import open_key  # noqa: PLC0415  # quick --help
    from edge_agent.sync.airgap.stick import exports_in  # noqa: PLC0415
    from training_hub.accounts.errors import AccountError  # noqa: PLC0415
    from training_hub.catalogue.migrate import migrate  # noqa: PLC0415
    from training_hub.commands._accounts import BY  # noqa: PLC0415
    from training_hub.intake.airgap import KEY_NAME, check_stick, take_stick, write_receipt  # noqa: PLC0415
    from training_hub.opening import make_state_dir, open_parts  # noqa: PLC0415

    settings = settings_of(arguments)
    make_state_dir(settings.server.state_dir)
    key = open_key(settings.server.state_dir / KEY_NAME)
    if arguments.show_key:
        print(key.public)
        return 0
    if arguments.stick is None:
        raise AccountError("name the directory of the stick: training-hub import DIR")
    exports = exports_in(arguments.stick)
    if not exports:
        raise AccountError(f"there is no export in {arguments.stick}; `edge-agent sync export --to DIR` writes one")
    if arguments.receipt_to is not None and len(exports) > 1:
        raise AccountError("--receipt-to takes one export at a time; name it")
    with open_parts(settings, os.environ) as parts:
        migrate(parts.database)
        sticks = [check_stick(parts, export) for export in exports]
        for stick in sticks:
            where = f"{stick.path.name} of {stick.manifest.site}/{stick.manifest.gateway}"
            if arguments.check:
                print(f"{where}: signature and {len(stick.manifest.files)} files are right")
                continue
            receipt = take_stick(parts, stick, by=BY)
            write_receipt(receipt, key, arguments.receipt_to or stick.path)
            print(f"{where}: {len(receipt.clips)} clips, {len(receipt.events)} events, {len(receipt.refused)} refused")
            for refused in receipt.refused:
                print(f"  {refused.id}: {refused.why}", file=sys.stderr)
    return 0
