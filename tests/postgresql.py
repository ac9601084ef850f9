"""A PostgreSQL cluster for tests: made once per test session, in a folder of its own, on a free port of loopback.

`postgres` refuses to run as root, so root runs it as `nobody`'s like: an account without rights that the system has.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START_SECONDS = 60
_STOP_SECONDS = 30
_ACCOUNTS = ("postgres", "nobody")
_USER = "parity"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "off",  # what is killed in tests is processes, never the machine
    "wal_level": "replica",
    "max_wal_size": "512MB",
    "log_min_messages": "warning",
    "autovacuum_naptime": "5s",
}

_ENDS_WITH_ITS_PARENT = """
exec 3<&0
"$@" 3<&- &
database=$!
{ cat <&3 >/dev/null; kill -QUIT "$database" 2>/dev/null; } &
wait "$database"
"""
"""Runs a command and ends it once standard input closes: a test run that is killed leaves no database behind."""


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest there is, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return Path(program).resolve().parent if program else None


def missing() -> str | None:
    """Say why no cluster can be made here, or None."""
    if binaries() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    if os.geteuid() == 0 and _account() is None:
        return "postgres refuses to run as root, and there is no account without rights to run it as"
    return None


def _account() -> pwd.struct_passwd | None:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


@dataclass
class Cluster:
    """A running cluster. `url` names its one database."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """The folder of the data."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """The store URL of its database, without a schema."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/postgres"

    @property
    def log(self) -> Path:
        """What the database writes to stderr."""
        return self.folder / "log"

    def start(self, **settings: str) -> None:
        """Start the database, and wait until it answers."""
        options = [f"--{name}={value}" for name, value in ({**_SETTINGS, **settings}).items()]
        command = [_program("postgres"), "-D", str(self.data), "-p", str(self.port), "-k", str(self.folder), *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", _ENDS_WITH_ITS_PARENT, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                **_as_account(),
            )
        deadline = time.monotonic() + _START_SECONDS
        ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL didn't start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def keep(self, name: str, content: bytes) -> str:
        """Write a file that the database alone may read; return its path."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        account = _account() if os.geteuid() == 0 else None
        if account is not None:
            os.chown(path, account.pw_uid, account.pw_gid)
        return str(path)

    def stop(self, mode: str = "immediate") -> None:
        """Stop the database: `fast` is orderly, `immediate` is as good as a crash."""
        if self.process is not None and self.process.poll() is None:
            command = [_program("pg_ctl"), "stop", "-s", "-D", str(self.data), "-m", mode, "-w"]
            subprocess.run(command, check=False, timeout=_STOP_SECONDS, **_as_account())
            self.process.wait(_STOP_SECONDS)
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Make a cluster, start it, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="parity-postgresql-"))
    account = _account() if os.geteuid() == 0 else None
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    made = Cluster(folder, _free_port())
    try:
        command = [
            _program("initdb"),
            "-D",
            str(made.data),
            "-U",
            _USER,
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=_START_SECONDS, **_as_account())
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _as_account() -> dict[str, Any]:
    account = _account() if os.geteuid() == 0 else None
    if account is None:
        return {"cwd": "/"}
    return {"cwd": "/", "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _program(name: str) -> str:
    folder = binaries()
    if folder is None:
        raise RuntimeError(missing())
    return str(folder / name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
