"""Clips on a thin link that breaks in the middle of them: nothing half is listed, each arrives once and whole."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clips.samples import ORIGIN, START_NS
from tests.faults.sync_chaos import start_sync, sync_config
from tests.support.broker import wait_until
from tests.support.hub_process import HubProcess, hub_process
from tests.support.hub_state import HubState, state_of, unfinished
from tests.support.slow_line import SlowLine
from tests.sync.gateway import Gateway

pytestmark = pytest.mark.end_to_end

_STORED = 'training_hub_clip_files_total{outcome="stored"}'


def _port(hub: HubProcess) -> int:
    port = urlsplit(hub.url).port
    assert port is not None
    return port


def _stored(hub: HubProcess) -> float:
    with hub.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(_STORED))


def test_cut_twice_in_the_middle_of_a_clip(tmp_path: Path) -> None:
    with hub_process(tmp_path / "hub") as hub:
        at_cuts: list[HubState] = []
        line = SlowLine(
            _port(hub), bytes_per_s=150_000, cuts=(50_000, 90_000), when_cut=lambda: at_cuts.append(state_of(hub))
        )
        gateway = Gateway(tmp_path / "gateway", line.url, key=hub.gateway_key(ORIGIN.site, ORIGIN.gateway))
        kept = gateway.keep(2, seconds=5.0)
        assert min(clip.size_bytes for clip in kept) > 95_000, "else the cuts are not within a clip"
        try:
            gateway.run(gateway.open(), until_s=3600.0, until=lambda: len(gateway.synced()) == 2)
        finally:
            line.close()
        assert line.cut == 2
        assert [(state.clips, state.objects, state.files) for state in at_cuts] == [({}, frozenset(), {})] * 2
        _all_there_once(hub, gateway)
        assert _stored(hub) == 2


def test_killed_in_the_middle_of_a_clip_under_a_cap(tmp_path: Path) -> None:
    with hub_process(tmp_path / "hub") as hub:
        line = SlowLine(_port(hub), bytes_per_s=10_000_000)
        gateway = Gateway(tmp_path / "gateway", line.url, key=hub.gateway_key(ORIGIN.site, ORIGIN.gateway))
        gateway.clock.s = (time.time_ns() - START_NS) / 1e9  # the processes go by the real one
        gateway.keep(2, seconds=5.0)
        gateway.journal.close()
        slow, fast = (
            sync_config(gateway, line.port, name=name, max_bytes_per_s=cap)
            for name, cap in (("slow", 20_000), ("fast", 1_000_000))
        )
        process = start_sync(slow, gateway.directory)
        try:
            wait_until(lambda: line.carried > 40_000, 120.0, "the middle of the first clip")
        finally:
            process.kill()
            process.wait()
        state = state_of(hub)
        assert (state.clips, state.objects, state.files) == ({}, frozenset(), {})
        assert gateway.synced() == set()
        process = start_sync(fast, gateway.directory, watch=False)
        try:
            assert process.wait(120) == 0, (gateway.directory / "sync.log").read_text()[-2000:]
        finally:
            process.kill()
            line.close()
        _all_there_once(hub, gateway)


def _all_there_once(hub: HubProcess, gateway: Gateway) -> None:
    """File, row and mark of every clip, and nothing else."""
    kept = [gateway.store.find(row.id) for row in gateway.store.rows()]
    assert gateway.synced() == {clip.id for clip in kept}
    state = state_of(hub)
    assert state.clips == {clip.id: clip.sha256 for clip in kept}
    assert state.files == {clip.sha256: gateway.store.payload_path(clip).read_bytes() for clip in kept}
    assert state.objects == state.files.keys()
    wait_until(lambda: unfinished(hub) == 0, 60.0, "what was cut off being swept away")
