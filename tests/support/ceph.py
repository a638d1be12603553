"""A real S3: one-node Ceph with its object gateway on the loopback, in memory, thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store

from tests.support.broker import free_port

ACCESS_KEY_ID = "TESTACCESSKEY01"
SECRET_ACCESS_KEY = "testsecretkey0123456789"
REGION = "us-east-1"
BUCKET = "clips"
_PROGRAMS = ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool")
_CONFIG = """\
[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{mon_port}]
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
ms bind ipv6 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon warn on pool no redundancy = false
mon allow pool size one = true
osd crush chooseleaf type = 0
run dir = {directory}/run
admin socket = {directory}/run/$name.asok
log file = {directory}/log/$name.log
pid file =
erasure code dir = {libraries}/ceph/erasure-code
plugin dir = {libraries}/ceph
osd class dir = {libraries}/rados-classes
[mon.a]
mon data = {directory}/mon
[osd]
osd objectstore = memstore
memstore device bytes = 1073741824
osd data = {directory}/osd0
osd memory target = 939524096
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{s3_port}
rgw data = {directory}/rgw
rgw enable usage log = false
"""


def missing_program() -> str | None:
    """A program of Ceph that is not installed; None where all are."""
    return next((name for name in _PROGRAMS if shutil.which(name) is None), None)


class Ceph:
    """One cluster of one monitor, manager, disk and gateway."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="hub-ceph-"))
        self._config = self._directory / "ceph.conf"
        self._running: list[subprocess.Popen[bytes]] = []
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Bring it up, with one user and one bucket."""
        for name in ("mon", "osd0", "mgr", "run", "rgw", "log"):
            (self._directory / name).mkdir()
        fsid, mon_port = str(uuid.uuid4()), free_port()
        libraries = next(Path("/usr/lib").glob("*-linux-gnu*/rados-classes")).parent
        monmap = str(self._directory / "monmap")
        self._config.write_text(
            _CONFIG.format(
                fsid=fsid, mon_port=mon_port, directory=self._directory, s3_port=self._port, libraries=libraries
            )
        )
        self._run(
            "monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon_port}]", monmap
        )
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._launch("ceph-mon", "-i", "a")
        self._wait(lambda: self._asks("-s"), "the monitor")
        self._launch("ceph-mgr", "-i", "x", "--mgr-data", str(self._directory / "mgr"))
        disk = str(uuid.uuid4())
        self._run("ceph", "osd", "new", disk)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        # settings come from the file alone: a disk that first asks the monitor for them forgets the cluster's id until
        # it is told again, and gives up ("wrong fsid") where it registers itself before that
        self._launch("ceph-osd", "-i", "0", "--no-mon-config")
        self._wait(lambda: b"1 up" in self._output("osd", "stat"), "the disk")
        self._run(
            "radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
            f"--access-key={ACCESS_KEY_ID}", f"--secret-key={SECRET_ACCESS_KEY}",
        )  # fmt: skip
        self._launch("radosgw", "-n", "client.rgw")
        self._wait(self._answers, "the object gateway")
        self._make_bucket()

    def stop(self) -> None:
        """End every process, and leave nothing."""
        for process in reversed(self._running):
            process.terminate()
        for process in reversed(self._running):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _make_bucket(self) -> None:
        store = S3Store(
            BUCKET, endpoint=self.endpoint, region=REGION, access_key_id=ACCESS_KEY_ID,
            secret_access_key=SECRET_ACCESS_KEY, virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )  # fmt: skip
        url = obstore.sign(store, "PUT", "", timedelta(minutes=1))
        with urllib.request.urlopen(urllib.request.Request(url, data=b"", method="PUT"), timeout=60) as answer:
            assert answer.status == 200, answer.read()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def _asks(self, *words: str) -> bool:
        return bool(self._output(*words))

    def _output(self, *words: str) -> bytes:
        done = subprocess.run(
            ["timeout", "5", "ceph", "-c", str(self._config), *words],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, env=self._environ(),
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else b""

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline_s = time.monotonic() + 120
        while not condition():
            ended = [process.args for process in self._running if process.poll() is not None]
            logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in (self._directory / "log").iterdir())
            assert not ended, f"{ended} ended:\n{logs}"
            assert time.monotonic() < deadline_s, f"{what} did not come up:\n{logs}"
            time.sleep(0.2)

    def _run(self, program: str, *arguments: str) -> None:
        config = [] if program == "monmaptool" else ["-c", str(self._config)]
        done = subprocess.run(
            [program, *config, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120, env=self._environ(),
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr.decode(errors='replace')}"

    def _launch(self, program: str, *arguments: str) -> None:
        with (self._directory / "log" / f"{program}.out").open("wb") as out:
            self._running.append(
                subprocess.Popen(
                    [program, "-c", str(self._config), *arguments, "-f"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=self._environ(),
                )
            )

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "CEPH_CONF": str(self._config)}
