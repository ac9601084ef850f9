"""The target mini-language: what to judge, and how to reach it.

- `grpc://host:port`: plain text; a bare `host:port` means the same.
- `grpcs://host:port?ca=FILE&cert=FILE&key=FILE`: TLS; `ca` names a private authority, `cert` and
  `key` a client certificate.
- `unix:/path/to/socket`
- `cmd:./server --port {port}`: started by the suite, waited for, restarted for durability checks, ended at the end.
- `inproc:package.module:factory`: `factory()` returns (address, stop) of a server in this process.

Several of them with commas between are replicas of one server: each call goes to another one.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import grpc

from conformance.address import Address, TargetInvalid, parse_address
from conformance.process_tree import ProcessTree
from conformance.reach import Finding, connected, why_unreachable
from conformance.replicas import ReplicaChannel

CONNECT_SECONDS = 5.0
HURRIED_SECONDS = 0.1
"""Time that a command gets to end where somebody waits for the end of an interrupted run."""
START_SECONDS = 30.0
_LOOK_SECONDS = 0.01
"""Between two looks whether a command that was started listens already."""
STDERR_TAIL_CHARACTERS = 4000
STDERR_LINES = 20
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


class StillAlive(Exception):
    """What the suite killed goes on answering, so nothing can be said about its restart."""


class TargetUnreachable(Exception):
    """Nothing answers at the target, or it stopped answering."""


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
    end_seconds: float = CONNECT_SECONDS
    """How long a command may take to end by itself once it is told to, and its port to close after it."""
    replicas: tuple[Running, ...] = ()
    """Further addresses of the same server."""
    seed: int = 0
    """Decides which replica gets which call."""
    _channels: list[grpc.Channel] = field(default_factory=list)

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The command's own process, of a `cmd:` target."""
        return None if self.tree is None else self.tree.process

    @property
    def restartable(self) -> bool:
        """Whether the suite may kill and start it again."""
        return self.process is not None and not self.replicas

    def channel(self) -> grpc.Channel:
        """Open a channel; closed with the target. With replicas it is one to all of them, call by call."""
        if self.replicas:
            channels = [replica.channel() for replica in (replace(self, replicas=()), *self.replicas)]
            return ReplicaChannel(channels, self.seed)  # type: ignore[return-value] # the part that the suite uses
        channel = open_channel(self.address)
        self._channels.append(channel)
        return channel

    def hang_up(self) -> None:
        """Close all channels: calls under way end, and later ones need a new channel."""
        while self._channels:
            self._channels.pop().close()
        for replica in self.replicas:
            replica.hang_up()

    def hurry(self) -> None:
        """Don't wait long for the end of what was started: somebody does for ours."""
        for one in (self, *self.replicas):
            one.end_seconds = HURRIED_SECONDS

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

    def epitaph(self, when: str = "") -> str:
        """Say how, and when, a command ended: its exit code and the last lines of its stderr; empty while it runs."""
        if self.process is None or self.process.poll() is None:
            return ""
        code = self.process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
        lines = self.stderr_tail().splitlines()[-STDERR_LINES:]
        said = "its last words:\n" + "\n".join(lines) if lines else "it wrote nothing to stderr"
        return f"the command ended with {how}{when}; {said}"

    def answers(self) -> bool:
        """Whether something accepts connections at the address."""
        if self.process is not None and self.process.poll() is not None:
            return False
        return _accepts(self.address) and all(replica.answers() for replica in self.replicas)

    def close(self) -> None:
        """Close all channels and end what was started; a command and all that it started get SIGTERM, then SIGKILL."""
        self.hang_up()
        for replica in self.replicas:
            replica.close()
        if self.stop is not None:
            self.stop()
        if self.tree is not None:
            self.tree.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.tree.process.wait(self.end_seconds)
            self._is_closed_within(self.end_seconds)
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
    check_target(text)
    first, *others = targets_of(text)
    if others:
        return _open_replicas(first, others, start_seconds)
    if text.startswith("cmd:"):
        return _start_command(text.removeprefix("cmd:"), port or _free_port(), start_seconds)
    running = _start_in_process(text) if text.startswith("inproc:") else Running(parse_address(text))
    try:
        _wait_until_ready(running)
    except TargetUnreachable:
        running.close()
        raise
    return running


def check_target(text: str) -> None:
    """Look at a target's text, and start nothing. Raises TargetInvalid: it makes no sense."""
    for one in targets_of(text):
        if one.startswith("cmd:"):
            _check_command(one.removeprefix("cmd:"))
        elif one.startswith("inproc:"):
            _factory_of(one)
        else:
            parse_address(one)


def _check_command(command: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise TargetInvalid(f"cmd:{command}: {error}") from error
    if not words:
        raise TargetInvalid("cmd: needs a command, for example cmd:./server --port {port}")
    if "{port}" not in command:
        raise TargetInvalid(f"cmd:{command}: the command needs {{port}} where the port to listen on goes")


def targets_of(text: str) -> list[str]:
    """Return the targets of a text: one, or several replicas of one server with commas between."""
    return re.split(r",\s*(?=(?:grpcs?://|unix:|cmd:|inproc:))", text)


def _open_replicas(first: str, others: list[str], start_seconds: float) -> Running:
    opened: list[Running] = []
    try:
        for text in (first, *others):
            opened.append(open_target(text, start_seconds=start_seconds))  # noqa: PERF401 - all are closed if one fails
    except BaseException:
        for running in opened:
            running.close()
        raise
    return replace(opened[0], replicas=tuple(opened[1:]))


def open_channel(address: Address, authority: str = "") -> grpc.Channel:
    """Open a channel to an address; connecting happens with the first call. Call it `authority` where one is given."""
    if not address.secure:
        named = (("grpc.default_authority", authority),) if authority else ()
        return grpc.insecure_channel(address.name, options=(*_OPTIONS, *named))
    content = [path.read_bytes() if path else None for path in (address.ca, address.key, address.cert)]
    options = (*_OPTIONS, *((("grpc.ssl_target_name_override", address.host),) if address.host else ()))
    return grpc.secure_channel(address.name, grpc.ssl_channel_credentials(*content), options=options)


def _wait_until_ready(running: Running) -> None:
    """Wait until gRPC can be spoken. Raises TargetUnreachable, as soon as waiting can't change it."""
    seconds = running.start_seconds if running.process is not None else CONNECT_SECONDS
    began = time.monotonic()
    finding = Finding("")
    while not finding.final and time.monotonic() < began + seconds:
        if ended := running.epitaph(" before it listened"):
            raise TargetUnreachable(ended)
        if running.process is not None and not _accepts(running.address):
            time.sleep(_LOOK_SECONDS)  # a channel would look less and less often
            continue
        channel = open_channel(running.address)
        try:
            grpc.channel_ready_future(channel).result(timeout=min(1.0, seconds))
        except grpc.FutureTimeoutError:
            time.sleep(0.02)
            if running.process is None:
                finding = why_unreachable(running.address)
        else:
            return
        finally:
            channel.close()
    took = time.monotonic() - began
    finding = finding if finding.text else why_unreachable(running.address)
    detail = running.stderr_tail()
    hint = (
        "" if running.process is None else "; the command runs: does it take {port}, or need a longer --start-timeout?"
    )
    raise TargetUnreachable(
        f"{running.address.name}: {finding.text} (tried for {took:.1f} s){hint}{': ' * bool(detail)}{detail}"
    )


def _accepts(address: Address) -> bool:
    with contextlib.suppress(OSError), connected(address, CONNECT_SECONDS):
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


def _factory_of(text: str) -> Callable[[], tuple[str, Callable[[], None]]]:
    module_name, _, factory_name = text.removeprefix("inproc:").partition(":")
    try:
        factory: Callable[[], tuple[str, Callable[[], None]]] = getattr(
            importlib.import_module(module_name), factory_name
        )
    except (ImportError, AttributeError, ValueError) as error:
        raise TargetInvalid(f"{text!r}: {error}; write inproc:package.module:factory") from error
    return factory


def _start_in_process(text: str) -> Running:
    address, stop = _factory_of(text)()
    return Running(parse_address(address), stop=stop)
