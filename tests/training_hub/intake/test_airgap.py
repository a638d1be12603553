"""A USB stick from a gateway to the hub and back: taken whole, taken twice harmlessly, refused where it was touched."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from edge_agent.agent.hub.sync import make_exporter
from edge_agent.clips import files
from edge_agent.clips.errors import ClipError
from edge_agent.clips.reasons import Reason
from edge_agent.clips.sidecar import OperatorLabel
from edge_agent.delivery.fields import rfc3339
from edge_agent.durable import write_one_of_many
from edge_agent.sync.airgap.export import KEY_NAME, Exported, ExportLimits
from edge_agent.sync.airgap.manifest import MANIFEST, MANIFEST_SIGNATURE, RECEIPT, ExportManifest
from edge_agent.sync.airgap.receipts import Receipted, read_receipt, take_receipt
from edge_agent.sync.airgap.signing import EXPORT_CONTEXT, SigningKey, open_key
from edge_agent.sync.errors import SyncError
from edge_agent.sync.marks import SyncMarks
from tests.clips.samples import ORIGIN, START_NS
from tests.support.hub import Hub
from tests.sync.gateway import Gateway
from training_hub.accounts.gateways import set_export_key
from training_hub.catalogue.tables import Clip, Event, StoredObject
from training_hub.intake.airgap import check_stick, take_stick, write_receipt

LIMITS = ExportLimits(leave_free_bytes=0)


@pytest.fixture
def gateway(tmp_path: Path, hub: Hub) -> Gateway:
    """One whose public key the hub knows."""
    gateway = Gateway(tmp_path / "gateway", "https://hub.example", transport="stick")
    hub.gateway_key(ORIGIN.site, ORIGIN.gateway)
    public = open_key(gateway.state_dir / KEY_NAME).public
    with hub.parts.database.transaction() as session:
        set_export_key(session, ORIGIN.site, ORIGIN.gateway, public, by="hub")
    return gateway


def _write(gateway: Gateway, to: Path, limits: ExportLimits = LIMITS, **changes: object) -> Exported:
    sync = gateway.open()
    exporter = make_exporter(gateway.settings, gateway.state_dir, sync, gateway.journal)
    exporter._now_ns = gateway.clock.now_ns
    for name, value in changes.items():
        setattr(exporter, f"_{name}", value)
    return exporter.write(to, limits)


def _export(gateway: Gateway, to: Path) -> Path:
    found = _write(gateway, to).path
    assert found is not None
    return found


def _hub_key(hub: Hub) -> SigningKey:
    return open_key(hub.parts.settings.server.state_dir / "receipt_key")


def _import(hub: Hub, export: Path) -> None:
    stick = check_stick(hub.parts, export)
    write_receipt(take_stick(hub.parts, stick, by="hub"), _hub_key(hub), export)


def _take(hub: Hub, gateway: Gateway, export: Path) -> Receipted:
    receipt = read_receipt(export, hub_key=_hub_key(hub).public, site=ORIGIN.site, gateway=ORIGIN.gateway)
    marks = SyncMarks(gateway.state_dir)
    return take_receipt(receipt, gateway.store, marks, gateway.journal, now_ns=gateway.clock.now_ns)


def _counts(hub: Hub) -> tuple[int, int, int]:
    with hub.parts.database.transaction(writes=False) as session:
        clips, events, objects = (
            session.scalar(select(func.count()).select_from(table)) or 0 for table in (Clip, Event, StoredObject)
        )
    return clips, events, objects


def test_there_and_back_and_once_more(gateway: Gateway, hub: Hub, tmp_path: Path) -> None:
    kept = gateway.keep(3)
    label = OperatorLabel(label="bearing", operator="anna", at=rfc3339(START_NS))
    gateway.store.change(kept[0].id, lambda clip: clip.model_copy(update={"label": label}))
    gateway.publish(4)
    export = _export(gateway, tmp_path / "stick")
    assert gateway.synced() == set(), "an export is no receipt"
    _import(hub, export)
    assert _counts(hub) == (3, 4, 3)
    with hub.parts.database.transaction(writes=False) as session:
        clips = {clip.id: clip for clip in session.scalars(select(Clip))}
        assert set(session.scalars(select(Event.via))) == {"import"}
        assert clips[kept[0].id].label == "bearing"
    assert all(hub.parts.objects.get(clip.sha256) == gateway.store.payload_path(clip).read_bytes() for clip in kept)
    assert _take(hub, gateway, export) == Receipted(clips=3, events=4, refused=0, gone=0)
    assert gateway.synced() == {clip.id for clip in kept}
    assert gateway.journal.stats().waiting == 0
    _import(hub, export)  # a stick that comes again
    assert _counts(hub) == (3, 4, 3)
    assert _take(hub, gateway, export).clips == 0
    assert _write(gateway, tmp_path / "stick").path is None, "nothing is left to be written"


def _rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _first(export: Path, pattern: str) -> Path:
    return sorted(export.rglob(pattern))[0]


def _link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _other_manifest(export: Path, edit: Callable[[dict[str, object]], None], key: SigningKey | None = None) -> None:
    found = json.loads((export / MANIFEST).read_bytes())
    edit(found)
    content = json.dumps(found).encode()
    (export / MANIFEST).write_bytes(content)
    if key is not None:
        (export / MANIFEST_SIGNATURE).write_bytes(key.sign(EXPORT_CONTEXT, content))


def _move_directory_away(export: Path) -> None:
    (export / "clips").rename(export.parent / "elsewhere")
    (export / "clips").symlink_to(export.parent / "elsewhere")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


TOUCHED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a clip changed": (
        lambda e: _rewrite(p := _first(e, "*.flac"), p.read_bytes()[:-1] + b"\0"),
        "not what the gateway",
    ),
    "a clip cut short": (lambda e: os.truncate(_first(e, "*.flac"), 100), "not what the gateway signed"),
    "a clip grown": (lambda e: _first(e, "*.flac").open("ab").write(b"x"), "not what the gateway signed"),
    "a clip gone": (lambda e: _first(e, "*.flac").unlink(), "No such file"),
    "a record changed": (
        lambda e: _rewrite(p := _first(e / "records", "*.json"), p.read_bytes().replace(b"fan", b"fax")),
        "signed",
    ),
    "an event added": (lambda e: (e / "events.ndjson").open("ab").write(b"{}\n"), "not what the gateway signed"),
    "a link out of it": (lambda e: _link(_first(e, "*.flac"), "/etc/passwd"), "stick was changed"),
    "a directory that is a link": (_move_directory_away, "stick was changed"),
    "a pipe": (lambda e: _pipe(_first(e, "*.flac")), "is not a file"),
    "the manifest changed": (lambda e: _other_manifest(e, lambda m: m.update(agent_version="9")), "signature"),
    "the manifest no JSON": (lambda e: _rewrite(e / MANIFEST, b"\xff" * 50), "stick was changed"),
    "the signature gone": (lambda e: (e / MANIFEST_SIGNATURE).unlink(), "No such file"),
    "the signature no base64": (lambda e: _rewrite(e / MANIFEST_SIGNATURE, b"\xff\n"), "signature"),
    "another gateway's name": (lambda e: _other_manifest(e, lambda m: m.update(gateway="gw_2")), "no gateway"),
}


@pytest.mark.parametrize("touch", [pytest.param(touch, id=name) for name, touch in TOUCHED.items()])
def test_a_stick_that_was_touched_is_refused_whole(
    gateway: Gateway, hub: Hub, tmp_path: Path, touch: tuple[Callable[[Path], object], str]
) -> None:
    gateway.keep(2)
    gateway.publish(2)
    export = _export(gateway, tmp_path / "stick")
    touch[0](export)
    with pytest.raises(Exception, match=touch[1]) as caught:
        check_stick(hub.parts, export)
    assert type(caught.value).__name__ in ("SyncError", "AccountError")
    assert _counts(hub) == (0, 0, 0) and not (export / RECEIPT).exists()


PATHS = [
    "../../etc/passwd",
    "/etc/passwd",
    "clips/../x",
    "clips/aa/b.flac",
    "manifest.json",
    "clips/aa/" + "a" * 64 + ".exe",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_out_of_place_is_refused_though_the_gateway_signed_it(
    gateway: Gateway, hub: Hub, tmp_path: Path, path: str
) -> None:
    gateway.keep(1)
    export = _export(gateway, tmp_path / "stick")
    key = open_key(gateway.state_dir / KEY_NAME)

    def edit(manifest: dict[str, object]) -> None:
        manifest["files"] = [{"path": path, "sha256": "0" * 64, "size_bytes": 1}]

    _other_manifest(export, edit, key)
    with pytest.raises(SyncError, match="stick was changed or is of another version"):
        check_stick(hub.parts, export)


def test_who_is_not_known_or_disabled_is_refused(gateway: Gateway, hub: Hub, tmp_path: Path) -> None:
    gateway.keep(1)
    export = _export(gateway, tmp_path / "stick")
    with hub.parts.database.transaction() as session:
        set_export_key(session, ORIGIN.site, ORIGIN.gateway, None, by="hub")
    with pytest.raises(SyncError, match="set-export-key plant gw"):
        check_stick(hub.parts, export)
    with hub.parts.database.transaction() as session:
        other = base64.b64encode(bytes(31) + b"\1").decode()
        set_export_key(session, ORIGIN.site, ORIGIN.gateway, other, by="hub")
    with pytest.raises(SyncError, match="signature is not of the key"):
        check_stick(hub.parts, export)


def test_a_clip_that_the_hub_does_not_want_is_named_in_the_receipt(gateway: Gateway, hub: Hub, tmp_path: Path) -> None:
    (good,) = gateway.keep(1)
    (bad,) = gateway.keep(1, origin=ORIGIN.model_copy(update={"gateway": "gw_before_it_was_renamed"}))
    export = _export(gateway, tmp_path / "stick")
    _import(hub, export)
    done = _take(hub, gateway, export)
    assert (done.clips, done.refused) == (1, 1)
    assert gateway.synced() == {good.id}
    assert [(each.clip, "renamed" in each.why) for each in SyncMarks(gateway.state_dir).aside()] == [(bad.id, True)]


def test_a_receipt_of_somebody_else_is_refused(gateway: Gateway, hub: Hub, tmp_path: Path) -> None:
    gateway.keep(1)
    export = _export(gateway, tmp_path / "stick")
    _import(hub, export)
    stranger = open_key(tmp_path / "stranger").public
    with pytest.raises(SyncError, match=r"hub\.receipt_key"):
        read_receipt(export, hub_key=stranger, site=ORIGIN.site, gateway=ORIGIN.gateway)
    with pytest.raises(SyncError, match="take the stick there"):
        read_receipt(export, hub_key=_hub_key(hub).public, site=ORIGIN.site, gateway="gw_2")
    (export / RECEIPT).write_bytes((export / RECEIPT).read_bytes().replace(b"plant", b"plans"))
    with pytest.raises(SyncError, match="signature"):
        read_receipt(export, hub_key=_hub_key(hub).public, site=ORIGIN.site, gateway=ORIGIN.gateway)
    assert gateway.synced() == set()


def test_a_small_stick_takes_the_worthiest_and_the_next_one_the_rest(
    gateway: Gateway, hub: Hub, tmp_path: Path
) -> None:
    plain = gateway.keep(4, Reason.NOVEL)
    alarms = gateway.keep(2, Reason.ALARM)
    room = sum(clip.size_bytes for clip in alarms) + 2 * 25_000
    start = files.free_bytes(tmp_path)

    def free(_: Path) -> int:
        used = sum(path.stat().st_size for path in (tmp_path / "stick").rglob("*") if path.is_file())
        return room - used

    assert start > room
    first = _write(gateway, tmp_path / "stick", free_bytes=free)
    assert first.path is not None and 2 <= first.clips < 6 and first.left == 6 - first.clips
    names = {path.stem for path in (first.path / "records").rglob("*.json")}
    assert {clip.id for clip in alarms} <= names
    _import(hub, first.path)
    _take(hub, gateway, first.path)
    second = _write(gateway, tmp_path / "stick2")
    assert second.clips == 6 - first.clips and second.left == 0
    assert {clip.id for clip in plain + alarms} - gateway.synced() == {
        path.stem for path in (tmp_path / "stick2").rglob("records/*/*.json")
    }


def test_an_interrupted_export_goes_on_and_is_no_export_before_its_end(
    gateway: Gateway, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.keep(5)
    gateway.publish(2)
    stick = tmp_path / "stick"
    written: list[str] = []
    whole = write_one_of_many

    def until_the_third(path: Path, content: bytes) -> None:
        if len(written) == 5:
            raise OSError(5, "pulled out")
        written.append(path.name)
        whole(path, content)

    monkeypatch.setattr("edge_agent.sync.airgap.export.write_one_of_many", until_the_third)
    with pytest.raises(SyncError, match="what is written is kept"):
        _write(gateway, stick)
    assert not list(stick.glob("edge-agent-export-*"))
    again: list[str] = []

    def count(path: Path, content: bytes) -> None:
        again.append(path.name)
        whole(path, content)

    monkeypatch.setattr("edge_agent.sync.airgap.export.write_one_of_many", count)
    export = _export(gateway, stick)
    assert not set(written) & set(again), "what was written is not written again"
    _import(hub, export)
    assert _counts(hub) == (5, 2, 5)


def test_an_export_can_be_narrowed(gateway: Gateway, tmp_path: Path) -> None:
    (old,) = gateway.keep(1)
    (new,) = gateway.keep(1, start_ns=START_NS + 10**12)
    (pump,) = gateway.keep(1, machine="pump_1")

    def exported(limits: ExportLimits) -> set[str]:
        done = _write(gateway, tmp_path / "stick", limits)
        if done.path is None:
            return set()
        manifest = ExportManifest.model_validate_json((done.path / MANIFEST).read_bytes())
        shutil.rmtree(done.path)
        return {Path(entry.path).stem for entry in manifest.files if entry.path.startswith("records/")}

    assert exported(ExportLimits(0, machine="pump_1")) == {pump.id}
    assert exported(ExportLimits(0, since_ns=START_NS + 1)) == {new.id}
    assert exported(LIMITS) == {old.id, new.id, pump.id}


def test_a_key_file_open_to_others_or_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    public = open_key(path).public
    assert path.stat().st_mode & 0o777 == 0o600 and open_key(path).public == public
    path.chmod(0o640)
    with pytest.raises(SyncError, match="chmod 0600"):
        open_key(path)
    path.chmod(0o600)
    path.write_bytes(b"AAAA\n")
    with pytest.raises(SyncError, match="holds no key"):
        open_key(path)


def test_a_clip_given_up_meanwhile_is_no_error(gateway: Gateway, hub: Hub, tmp_path: Path) -> None:
    kept = gateway.keep(2)
    export = _export(gateway, tmp_path / "stick")
    gateway.store.delete(kept[0].id)
    _import(hub, export)
    assert _take(hub, gateway, export) == Receipted(clips=1, events=0, refused=0, gone=1)
    with pytest.raises(ClipError):
        gateway.store.find(kept[0].id)
