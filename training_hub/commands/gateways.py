"""`training-hub gateways`."""

import argparse
from pathlib import Path

from training_hub.commands._settings import Actions, add_action, add_settings_arguments

NAME = "gateways"
HELP = "edge computers that may send: add, list, disable, enable, new-key, set-certificate, set-export-key, set-ring"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = _action(actions, "add", "make a gateway known; its key is shown this once")
    add.add_argument("--ring", default="main", help="canary gets a new bundle first (default: main)")
    add.add_argument(
        "--certificate-sha256", metavar="HEX", help="it comes with this certificate and needs no key; none is made"
    )
    _key_file(add)
    listing = actions.add_parser("list", help="all gateways")
    add_settings_arguments(listing)
    _action(actions, "disable", "refuse what it sends")
    _action(actions, "enable", "let it send again")
    new_key = _action(actions, "new-key", "another key; the old ones end")
    new_key.add_argument("--keep-old", action="store_true", help="let the old ones live until the next new-key")
    _key_file(new_key)
    certificate = _action(actions, "set-certificate", "the certificate that it comes with")
    certificate.add_argument("sha256", metavar="HEX", help="SHA-256 of the certificate (DER), or `none`")
    export = _action(actions, "set-export-key", "the public key that signs what it exports on a USB stick")
    export.add_argument("key", metavar="KEY", help="as `edge-agent sync key` at the gateway shows it, or `none`")
    ring = _action(actions, "set-ring", "in which ring it gets new bundles")
    ring.add_argument("ring", metavar="RING", help="canary or main")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from training_hub.accounts import gateways  # noqa: PLC0415  # quick --help
    from training_hub.commands._accounts import BY, catalogue, hand_out, refuse_existing  # noqa: PLC0415

    action: str = arguments.action
    refuse_existing(getattr(arguments, "key_file", None))
    key = None
    with catalogue(arguments) as database, database.transaction() as session:
        if action == "list":
            for found in gateways.all_gateways(session):
                seen = "never" if found.last_seen_at is None else f"{found.last_seen_at:%Y-%m-%dT%H:%M:%SZ}"
                state = "disabled" if found.disabled else "enabled"
                print(f"{found.site}/{found.name}\t{found.ring}\t{state}\tseen {seen}")
            return 0
        who = (arguments.site, arguments.name)
        if action == "add":
            gateways.add_gateway(session, *who, ring=arguments.ring, by=BY)
            if arguments.certificate_sha256 is None:
                key = gateways.new_gateway_key(session, *who, by=BY)
            else:
                gateways.set_certificate(session, *who, arguments.certificate_sha256, by=BY)
        elif action == "new-key":
            key = gateways.new_gateway_key(session, *who, keep_old=arguments.keep_old, by=BY)
        elif action == "set-certificate":
            gateways.set_certificate(session, *who, None if arguments.sha256 == "none" else arguments.sha256, by=BY)
        elif action == "set-export-key":
            gateways.set_export_key(session, *who, None if arguments.key == "none" else arguments.key, by=BY)
        elif action == "set-ring":
            gateways.set_ring(session, *who, arguments.ring, by=BY)
        else:
            gateways.set_gateway_disabled(session, *who, action == "disable", by=BY)
    if key is not None:
        hand_out(key, arguments.key_file)
    return 0


def _action(actions: Actions, name: str, text: str) -> argparse.ArgumentParser:
    return add_action(
        actions, name, text, ("site", "the plant's id, as the gateway's settings have it"), ("name", "the gateway's id")
    )


def _key_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help="write the key to this new file (mode 0600) instead of showing it"
    )
