"""A PostgreSQL cluster for tests: made once per test session, in a folder of its own, on a free port of loopback.

`postgres` refuses to run as root, so root runs it as `nobody`'s like: an account without rights that the system has.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

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


def owner() -> pwd.struct_passwd | None:
    """Return as whom PostgreSQL runs; None: as whoever runs this."""
    return _account() if os.geteuid() == 0 else None


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
    settings: dict[str, str] = field(default_factory=dict)
    """Of its own, at every start."""

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

    def make(self, *options: str) -> None:
        """Make the data, with options of `initdb`, and start the database."""
        _run("initdb", "-D", str(self.data), "-U", _USER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C", *options)
        self.start()

    def start(self) -> None:
        """Start the database, and wait until it answers."""
        options = [f"--{name}={value}" for name, value in {**_SETTINGS, **self.settings}.items()]
        command = [_program("postgres"), "-D", str(self.data), "-p", str(self.port), "-k", str(self.folder), *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                _as_account("sh", "-c", _ENDS_WITH_ITS_PARENT, "sh", *command),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until a database that was started, or starts itself again, answers. Raises RuntimeError if it ended."""
        deadline = time.monotonic() + _START_SECONDS
        ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL didn't start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def keep(self, name: str, content: bytes) -> str:
        """Write a file that the database alone may read; return its path."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        account = owner()
        if account is not None:
            os.chown(path, account.pw_uid, account.pw_gid)
        return str(path)

    def kill(self) -> None:
        """SIGKILL the database with all its processes, as if its machine were gone."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        postmaster, segment = int(lines[0]), lines[6].split()[1]
        os.kill(postmaster, signal.SIGSTOP)  # it starts nothing more
        for pid in [*_children(postmaster), postmaster]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._ended()
        # Who starts it again finds that itself; of one whose data is removed it would stay in the kernel.
        subprocess.run(["ipcrm", "-m", segment], check=False, capture_output=True)

    def promote(self) -> None:
        """Let a standby become a primary, and wait until it is."""
        _run("pg_ctl", "promote", "-s", "-D", str(self.data), "-w")

    def follow(self, primary: Cluster, port: int | None = None) -> None:
        """Become a standby of another cluster: take its data, then what it writes, through `port` if that is given."""
        shutil.rmtree(self.data, ignore_errors=True)
        source = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", _USER]
        _run("pg_basebackup", "-D", str(self.data), *source, "-X", "stream", "-c", "fast", "--no-sync")
        (self.data / "standby.signal").touch()
        self.settings["primary_conninfo"] = f"host=127.0.0.1 port={port or primary.port} user={_USER}"
        self.start()

    def stop(self, mode: str = "immediate") -> None:
        """Stop the database: `fast` is orderly, `immediate` is as good as a crash."""
        if self.process is not None and self.process.poll() is None:
            _run("pg_ctl", "stop", "-s", "-D", str(self.data), "-m", mode, "-w", seconds=_STOP_SECONDS, check=False)
        self._ended()

    def _ended(self) -> None:
        if self.process is not None:
            self.process.wait(_STOP_SECONDS)
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


@contextmanager
def place(settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Make room for a cluster; what is there in the end is stopped and removed."""
    folder = Path(tempfile.mkdtemp(prefix="parity-postgresql-"))
    account = owner()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    made = Cluster(folder, _free_port(), settings=dict(settings or {}))
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def cluster(settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Make a cluster with settings of its own, start it, and remove it afterwards."""
    with place(settings) as made:
        made.make()
        yield made


def _children(parent: int) -> Iterator[int]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):  # it has ended
            if int(status.read_text(errors="replace").rpartition(")")[2].split()[1]) == parent:
                yield int(status.parent.name)


def _as_account(*command: str) -> list[str]:
    """Return the command as whom PostgreSQL runs.

    Not by `subprocess`, which then forks in the old way, which a process that calls by gRPC may not survive.
    """
    account = owner()
    if account is None:
        return list(command)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", *command]


def _run(name: str, *words: str, seconds: float = _START_SECONDS, check: bool = True) -> None:
    """Run one of PostgreSQL's programs. Raises CalledProcessError if it fails, TimeoutExpired."""
    command = _as_account(_program(name), *words)
    subprocess.run(command, check=check, capture_output=True, timeout=seconds, cwd="/")


def _program(name: str) -> str:
    folder = binaries()
    if folder is None:
        raise RuntimeError(missing())
    return str(folder / name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
