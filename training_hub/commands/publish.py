"""`training-hub publish`: keys, the first root, approving bundles, rotation; on the signer's own machine."""

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

    from training_hub.rollout.ceremony import Approval
    from training_hub.rollout.client import HubClient

NAME = "publish"
HELP = "sign what gateways may run: keys, root, approvals (on your own machine, never on the hub)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    key = kinds.add_parser("key", help="make a key of a person: FILE with a passphrase, FILE.pub to show")
    key.add_argument("file", type=Path, metavar="FILE")
    _passphrase(key)

    init = kinds.add_parser("init", help="make the root keys, sign the first root, give it to the hub")
    _hub(init)
    init.add_argument("--root-key", type=Path, required=True, metavar="DIR", help="where the root keys are made")
    init.add_argument("--root-keys", type=int, default=1, metavar="N", help="how many (default: 1)")
    init.add_argument("--threshold", type=int, default=1, metavar="N", help="how many must sign a root (default: 1)")
    init.add_argument("--approver", type=Path, action="append", required=True, metavar="FILE.pub", help="repeatable")
    init.add_argument("--approvals", type=int, default=1, metavar="N", help="approvers that must sign (default: 1)")
    init.add_argument(
        "--key", type=Path, action="append", required=True, metavar="FILE", help="an approver's key; repeatable"
    )
    _passphrase(init)

    add = kinds.add_parser("add", help="give the hub a bundle that was made elsewhere, as a draft")
    _hub(add)
    add.add_argument("directory", type=Path, metavar="DIR", help="the bundle")

    approve = kinds.add_parser("approve", help="look into a bundle and sign it")
    _hub(approve)
    approve.add_argument("bundle", help="id of the bundle at the hub")
    approve.add_argument("--key", type=Path, action="append", required=True, metavar="FILE", help="repeatable")
    approve.add_argument("--override", default="", metavar="WHY", help="why, for one that did not pass the gate")
    approve.add_argument("--yes", action="store_true", help="do not ask before signing")
    _passphrase(approve)

    renew = kinds.add_parser("renew", help="sign the targets anew, before they run out or with other keys")
    _hub(renew)
    renew.add_argument("--key", type=Path, action="append", required=True, metavar="FILE", help="repeatable")
    renew.add_argument("--without", action="append", default=[], metavar="TARGET", help="leave out; repeatable")
    _passphrase(renew)

    rotate = kinds.add_parser("rotate", help="sign the next root: keys come and go")
    _hub(rotate)
    rotate.add_argument("--root-key", type=Path, action="append", required=True, metavar="FILE", help="repeatable")
    rotate.add_argument("--add-root", type=Path, action="append", default=[], metavar="FILE.pub")
    rotate.add_argument("--add-approver", type=Path, action="append", default=[], metavar="FILE.pub")
    rotate.add_argument("--remove", action="append", default=[], metavar="KEYID", help="at least 8 letters of it")
    rotate.add_argument("--threshold", type=int, metavar="N")
    rotate.add_argument("--approvals", type=int, metavar="N")
    rotate.add_argument("--online", action="store_true", help="replace the hub's own keys")
    rotate.add_argument("--out", type=Path, required=True, metavar="FILE", help="the new root, for new gateways")
    _passphrase(rotate)

    _hub(kinds.add_parser("status", help="roles, versions, when they run out"))


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked."""
    from training_hub.rollout.client import HubClient  # noqa: PLC0415  # `--help` must stay quick

    if arguments.what == "key":
        return _key(arguments)
    with HubClient(arguments.hub, arguments.api_key_file, arguments.ca_file) as hub:
        if arguments.what == "status":
            print(hub.status())
            return 0
        if arguments.what == "add":
            return _add(hub, arguments.directory)
        from training_hub.rollout import ceremony  # noqa: PLC0415

        if arguments.what == "init":
            root = _make_root_keys(arguments)
            approvers = [ceremony.read_public(path) for path in arguments.approver]
            signers = _signers(arguments.key, arguments)
            content = ceremony.first_root(
                hub, root, approvers, signers, threshold=arguments.threshold, approvals=arguments.approvals
            )
            _write_root(arguments.root_key / "root.json", content)
        elif arguments.what == "approve":
            signers = _signers(arguments.key, arguments)
            ask = (lambda _: True) if arguments.yes else _confirm
            custom = ceremony.approve(hub, arguments.bundle, signers, overridden=arguments.override, confirm=ask)
            if custom is None:
                print("nothing was signed", file=sys.stderr)
                return 1
            print(f"approved {custom.name} {custom.version} sha256 {custom.sha256}")
        elif arguments.what == "renew":
            version = ceremony.renew(hub, _signers(arguments.key, arguments), without=arguments.without)
            print(f"targets version {version}")
        else:
            rotation = ceremony.Rotation(
                add_root=tuple(ceremony.read_public(path) for path in arguments.add_root),
                add_approvers=tuple(ceremony.read_public(path) for path in arguments.add_approver),
                remove=tuple(arguments.remove),
                threshold=arguments.threshold,
                approvals=arguments.approvals,
                online=arguments.online,
            )
            _write_root(arguments.out, ceremony.rotate(hub, _signers(arguments.root_key, arguments), rotation))
    return 0


def _add(hub: "HubClient", directory: Path) -> int:
    from edge_agent.inference.archive import pack_bundle  # noqa: PLC0415
    from edge_agent.inference.bundle import load_bundle  # noqa: PLC0415

    added = hub.add_bundle(pack_bundle(load_bundle(directory)))
    print(f"{added.id} {added.name} {added.version} {added.state}")
    return 0


def _key(arguments: argparse.Namespace) -> int:
    from training_hub.rollout.ceremony import make_key  # noqa: PLC0415

    shown = make_key(arguments.file, _new_passphrase(arguments.file, arguments))
    print(f"{arguments.file}: keep it and its passphrase; {shown}: for the administrator")
    return 0


def _make_root_keys(arguments: argparse.Namespace) -> "list[CryptoSigner]":
    from training_hub.rollout.keys import create_key  # noqa: PLC0415

    paths = [arguments.root_key / f"root_{number}.pem" for number in range(1, arguments.root_keys + 1)]
    return [create_key(path, _new_passphrase(path, arguments)) for path in paths]


def _signers(paths: list[Path], arguments: argparse.Namespace) -> "list[CryptoSigner]":
    from training_hub.rollout.keys import load_key  # noqa: PLC0415

    return [load_key(path, _passphrase_of(path, arguments)) for path in paths]


def _write_root(path: Path, content: bytes) -> None:
    from edge_agent.durable import write_whole  # noqa: PLC0415
    from training_hub.rollout.errors import RolloutError  # noqa: PLC0415

    try:
        write_whole(path, content)
    except OSError as error:
        raise RolloutError(f"{path} cannot be written: {error.strerror}; the hub has the root all the same") from error
    print(f"{path}: for every gateway, as hub.root_file")


def _confirm(approval: "Approval") -> bool:
    custom = approval.custom
    print(
        f"bundle      {custom.name} {custom.version}, {approval.size_bytes} bytes, verified with its golden recording"
    )
    print(f"sha256      {custom.sha256}")
    print(f"gate        {custom.gate}" + (f", overridden: {custom.overridden}" if custom.overridden else ""))
    print(f"agents      {custom.minimum_agent_version} or newer; {approval.signed_already} bundles are signed already")
    return input("sign it? yes/no: ").strip() == "yes"


def _passphrase_of(path: Path, arguments: argparse.Namespace) -> str:
    given: Path | None = arguments.passphrase_file
    if given is None:
        return getpass.getpass(f"passphrase of {path}: ")
    from training_hub.rollout.errors import RolloutError  # noqa: PLC0415

    try:
        return given.read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RolloutError(f"{given}: the passphrase cannot be read ({error})") from error


def _new_passphrase(path: Path, arguments: argparse.Namespace) -> str:
    first = _passphrase_of(path, arguments)
    if arguments.passphrase_file is None and getpass.getpass("once more: ") != first:
        from training_hub.rollout.errors import RolloutError  # noqa: PLC0415

        raise RolloutError("the passphrases differ; nothing was made")
    return first


def _hub(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hub", required=True, metavar="URL", help="such as https://hub.example.org")
    parser.add_argument("--api-key-file", type=Path, required=True, metavar="FILE", help="file with your API key")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificates to trust (default: the system's)")


def _passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="in place of being asked")
