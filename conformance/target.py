"""The target mini-language: what to judge, and how to reach it.

- `grpc://host:port`: plain text; a bare `host:port` means the same.
- `grpcs://host:port?ca=FILE&cert=FILE&key=FILE`: TLS; `ca` names a private authority, `cert` and
  `key` a client certificate.
- `unix:/path/to/socket`
- `cmd:./server --port {port}`: started by the suite, waited for, restarted for durability checks, ended at the end.
- `inproc:package.module:factory`: `factory()` returns (address, stop) of a server in this process.
"""

from __future__ import annotations

import contextlib
import importlib
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

import grpc

from conformance.process_tree import ProcessTree

CONNECT_SECONDS = 5.0
START_SECONDS = 30.0
STDERR_TAIL_CHARACTERS = 4000
_OPTIONS: tuple[tuple[str, int], ...] = (
    # Judging a limit of 10 MiB needs a client without one.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A repeated call would judge a second answer as if it were the first.
    ("grpc.enable_retries", 0),
    # After a drop the next call shall meet the server, not a client that still waits to reconnect.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Each run has connections of its own.
    ("grpc.use_local_subchannel_pool", 1),
)


class TargetInvalid(Exception):
    """The target's text can't be understood, or names a file that isn't there."""


class StillAlive(Exception):
    """What the suite killed goes on answering, so nothing can be said about its restart."""


class TargetUnreachable(Exception):
    """Nothing answers at the target, or it stopped answering."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: gRPC's own name for it, and its TLS files."""

    name: str
    secure: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def grpcurl(self) -> str:
        """The part of a grpcurl command that says where."""
        if not self.secure:
            return f"-plaintext {shlex.quote(self.name)}"
        files = (("-cacert", self.ca), ("-cert", self.cert), ("-key", self.key))
        flags = [f"{flag} {shlex.quote(str(path))}" for flag, path in files if path is not None]
        return " ".join([*flags, shlex.quote(self.name)])


@dataclass
class Running:
    """A target that can be called, and how to end what the suite started."""

    address: Address
    command: str = ""
    tree: ProcessTree | None = None
    stderr: IO[bytes] | None = None
    stop: Callable[[], None] | None = None
    port: int = 0
    start_seconds: float = START_SECONDS
    """How long a command may take until it listens."""
    _channels: list[grpc.Channel] = field(default_factory=list)

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The command's own process, of a `cmd:` target."""
        return None if self.tree is None else self.tree.process

    @property
    def restartable(self) -> bool:
        """Whether the suite may kill and start it again."""
        return self.process is not None

    def channel(self) -> grpc.Channel:
        """Open a channel; closed with the target."""
        channel = open_channel(self.address)
        self._channels.append(channel)
        return channel

    def restart(self) -> None:
        """Kill the server without warning and start it again on the same port. Raises TargetUnreachable, StillAlive."""
        if self.process is None:
            raise TargetUnreachable("only a `cmd:` target can be restarted")
        self.kill()
        self.tree = _spawn(self.command, self.port, self.stderr)
        _wait_until_ready(self)

    def kill(self) -> None:
        """SIGKILL the command and all that it started. Raises StillAlive unless nothing answers there any more.

        The port must be closed before anything is started again: so what answers later is another process.
        """
        if self.tree is not None:
            self.tree.kill()
        if not self._is_closed_within(CONNECT_SECONDS):
            raise StillAlive(
                f"SIGKILL of the command and all that it started left something that listens on {self.address.name}; "
                "a start script must not start its server with another environment in a session of its own"
            )

    def _is_closed_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while _accepts(self.address):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def stderr_tail(self) -> str:
        """Return the end of what a `cmd:` target wrote to stderr."""
        if self.stderr is None:
            return ""
        self.stderr.flush()
        content = Path(self.stderr.name).read_bytes()
        return content[-STDERR_TAIL_CHARACTERS:].decode(errors="replace")

    def answers(self) -> bool:
        """Whether something accepts connections at the address."""
        if self.process is not None and self.process.poll() is not None:
            return False
        return _accepts(self.address)

    def close(self) -> None:
        """Close all channels and end what was started; a command and all that it started get SIGTERM, then SIGKILL."""
        for channel in self._channels:
            channel.close()
        if self.stop is not None:
            self.stop()
        if self.tree is not None:
            self.tree.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.tree.process.wait(CONNECT_SECONDS)
            self._is_closed_within(CONNECT_SECONDS)
            self.tree.kill()
        if self.stderr is not None:
            self.stderr.close()


def open_target(text: str, *, port: int = 0, start_seconds: float = START_SECONDS) -> Running:
    """Understand a target and make sure that something accepts connections there.

    `start_seconds` is how long a command may take until it does.

    Raises:
        TargetInvalid: the text makes no sense.
        TargetUnreachable: nothing is there, or a command didn't come up.
    """
    if text.startswith("cmd:"):
        return _start_command(text.removeprefix("cmd:"), port or _free_port(), start_seconds)
    running = _start_in_process(text) if text.startswith("inproc:") else Running(parse_address(text))
    try:
        _wait_until_ready(running)
    except TargetUnreachable:
        running.close()
        raise
    return running


def parse_address(text: str) -> Address:
    """Understand `grpc://`, `grpcs://`, `unix:` and a bare `host:port`. Raises TargetInvalid."""
    if text.startswith("unix:"):
        path = "/" + text.removeprefix("unix:").lstrip("/")
        return Address(f"unix:{path}")
    parts = urlsplit(text if "://" in text else f"grpc://{text}")
    if parts.scheme not in {"grpc", "grpcs"}:
        raise TargetInvalid(f"{text!r}: unknown kind of target; use grpc:// grpcs:// unix: cmd: or inproc:")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TargetInvalid(f"{text!r}: {error}") from error
    if not host or not port:
        raise TargetInvalid(f"{text!r}: a host and a port are needed, for example grpc://127.0.0.1:50051")
    files = {name: _file(text, parts.query, name) for name in ("ca", "cert", "key")}
    if (files["cert"] is None) != (files["key"] is None):
        raise TargetInvalid(f"{text!r}: a client certificate needs both cert=FILE and key=FILE")
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Address(name, parts.scheme == "grpcs", **files)


def _file(text: str, query: str, name: str) -> Path | None:
    values = parse_qs(query).get(name)
    if not values:
        return None
    path = Path(values[-1])
    if not path.is_file():
        raise TargetInvalid(f"{text!r}: {name}: no such file: {path}")
    return path


def open_channel(address: Address) -> grpc.Channel:
    """Open a channel to an address; connecting happens with the first call."""
    if not address.secure:
        return grpc.insecure_channel(address.name, options=_OPTIONS)
    content = [path.read_bytes() if path else None for path in (address.ca, address.key, address.cert)]
    return grpc.secure_channel(address.name, grpc.ssl_channel_credentials(*content), options=_OPTIONS)


def _wait_until_ready(running: Running) -> None:
    seconds = running.start_seconds if running.process is not None else CONNECT_SECONDS
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if running.process is not None and running.process.poll() is not None:
            code = running.process.returncode
            raise TargetUnreachable(f"the command ended with code {code} before it listened: {running.stderr_tail()}")
        channel = open_channel(running.address)
        try:
            grpc.channel_ready_future(channel).result(timeout=min(1.0, seconds))
        except grpc.FutureTimeoutError:
            time.sleep(0.02)
            if running.process is None and not _accepts(running.address):
                break
        else:
            return
        finally:
            channel.close()
    detail = running.stderr_tail()
    raise TargetUnreachable(
        f"nothing answers at {running.address.name} within {seconds:.0f} s{': ' * bool(detail)}{detail}"
    )


def _accepts(address: Address) -> bool:
    with contextlib.suppress(OSError):
        if address.name.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as plain:
                plain.settimeout(CONNECT_SECONDS)
                plain.connect(address.name.removeprefix("unix:"))
                return True
        host, _, port = address.name.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS):
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _spawn(command: str, port: int, stderr: IO[bytes] | None) -> ProcessTree:
    words = [word.replace("{port}", str(port)) for word in shlex.split(command)]
    try:
        return ProcessTree(words, stderr)
    except OSError as error:
        raise TargetUnreachable(f"the command {words[0]!r} can't be started: {error.strerror}") from error


def _start_command(command: str, port: int, start_seconds: float) -> Running:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise TargetInvalid(f"cmd:{command}: {error}") from error
    if not words:
        raise TargetInvalid("cmd: needs a command, for example cmd:./server --port {port}")
    if "{port}" not in command:
        raise TargetInvalid(f"cmd:{command}: the command needs {{port}} where the port to listen on goes")
    stderr = tempfile.NamedTemporaryFile(prefix="conform-stderr-")  # noqa: SIM115 - lives as long as the target
    running = Running(
        Address(f"127.0.0.1:{port}"), command=command, stderr=stderr, port=port, start_seconds=start_seconds
    )
    try:
        running.tree = _spawn(command, port, stderr)
        _wait_until_ready(running)
    except BaseException:  # an interrupt as well: a server that was started must not be left behind
        running.close()
        raise
    return running


def _start_in_process(text: str) -> Running:
    module_name, _, factory_name = text.removeprefix("inproc:").partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise TargetInvalid(f"{text!r}: {error}; write inproc:package.module:factory") from error
    address, stop = factory()
    return Running(parse_address(address), stop=stop)
