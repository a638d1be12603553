"""PostgreSQL on a booted machine, as a service beside whatever PostgreSQL the system brings."""

from __future__ import annotations

from tests.support.postgres import require_programs
from tests.systemd.machine import Machine

PASSWORD = "only-for-tests-4711"
URL = "postgresql+psycopg://hub@127.0.0.1:5499/postgres"
_PASSWORD_FILE = "/etc/postgresql-password"
_UNIT = """
[Unit]
Before=training-hub.service training-hub-worker.service

[Service]
Type=notify
User={user}
RuntimeDirectory=hub-database
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
ExecStartPre=/bin/sh -c 'test -d $RUNTIME_DIRECTORY/data || {programs}/initdb -D $RUNTIME_DIRECTORY/data -U hub \
    --pwfile={password} --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --no-sync'
ExecStart={programs}/postgres -D ${{RUNTIME_DIRECTORY}}/data -c listen_addresses=127.0.0.1 -c port=5499 \
    -c unix_socket_directories=${{RUNTIME_DIRECTORY}} -c fsync=off -c dynamic_shared_memory_type=mmap
KillSignal=SIGINT
"""


def install_postgres(machine: Machine) -> None:
    """Lay the unit; `systemctl start hub-database` then has an empty database at `URL`, which asks for `PASSWORD`."""
    known = (machine.root / "etc/passwd").read_text()
    user = "postgres" if "\npostgres:" in known else "nobody"  # it refuses to run as root
    machine.write(_PASSWORD_FILE, PASSWORD)
    unit = _UNIT.format(user=user, programs=require_programs(), password=_PASSWORD_FILE)
    machine.write("/etc/systemd/system/hub-database.service", unit)
