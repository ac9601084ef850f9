"""Several replicas of the server on one machine: processes that share a port, over one store of a database server.

The kernel gives each new connection to one of them (SO_REUSEPORT). This process only watches over them: it ends with
them, and starts one anew that ended by itself.
"""

from __future__ import annotations

import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from reference_server.config import ConfigError, ServerConfig
from reference_server.listening import told
from reference_server.telemetry import configure_logging, log
from stores.registry import parse_url, scheme_of

START_SECONDS = 60.0
AGAIN_SECONDS = 1.0
"""So long a replica that ended by itself is left alone: what ended it may take a moment to pass."""
_LOOK_SECONDS = 0.2
_KILL_SECONDS = 5.0
_PORT_MAX = (1 << 16) - 1

ServeOne = Callable[[ServerConfig, Callable[[str], None], int], None]
"""Serves until SIGTERM or until a file (its descriptor) ends, and calls back when it listens."""


class ReplicasFailed(Exception):
    """The replicas can't be started; says why."""


def check_replicas(config: ServerConfig) -> None:
    """Raise ConfigError if a configuration can't be had more than once."""
    if not scheme_of(parse_url(config.store).scheme).is_remote:
        raise ConfigError("replicas: several processes need a store that they can share, such as postgresql://…")
    if config.listen.startswith("unix:"):
        raise ConfigError("replicas: several processes can't share a unix socket; listen on host:port")
    host, _, port = config.metrics.rpartition(":")
    if host and int(port) + config.replicas - 1 > _PORT_MAX:
        raise ConfigError("metrics: each replica takes the next port, and the last would be more than 65535")


@dataclass
class _Replica:
    number: int
    process: SpawnProcess
    told: Connection
    """Says when the replica listens; it ends when this end of it is closed."""
    is_ready: bool = False


def run_replicas(config: ServerConfig, on_ready: Callable[[str], None], serve_one: ServeOne) -> None:
    """Run replicas until SIGTERM or SIGINT. Raises ConfigError, ReplicasFailed."""
    check_replicas(config)
    stopping: list[int] = []
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, _: stopping.append(number))
    with closing(_reserved(config.listen)) as reserved:
        host = config.listen.rpartition(":")[0]
        config = replace(config, listen=f"{host}:{reserved.getsockname()[1]}")
        replicas = [_start(config, number, serve_one) for number in range(config.replicas)]
        try:
            _await_all(replicas, stopping)
            if not stopping:
                on_ready(config.listen)
            while not stopping:
                _look_after(replicas, config, serve_one)
        finally:
            _stop(replicas, config.grace_seconds)


def _reserved(listen: str) -> socket.socket:
    """Take the port, without listening, so that nobody else gets it while a replica is away."""
    host, _, port = listen.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as alone:  # somebody else's replicas would share the port as well
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(address)
    except OSError:
        raise ReplicasFailed(told(listen)) from None
    return taken


def _start(config: ServerConfig, number: int, serve_one: ServeOne) -> _Replica:
    host, _, port = config.metrics.rpartition(":")
    own = replace(config, metrics=f"{host}:{int(port) + number}") if host else config
    context = multiprocessing.get_context("spawn")
    told, tells = context.Pipe()
    process = context.Process(target=_serve, args=(own, tells, serve_one), name=f"replica-{number}")
    process.start()
    tells.close()
    return _Replica(number, process, told)


def _serve(config: ServerConfig, tells: Connection, serve_one: ServeOne) -> None:
    """Be one replica."""
    configure_logging(config.log_level)
    try:
        serve_one(config, tells.send, tells.fileno())
    except Exception as error:  # noqa: BLE001 - told by the process that started this one
        hint = getattr(error, "hint", "")
        with suppress(OSError):
            tells.send(error.__class__.__name__ + ": " + str(error) + (f"; {hint}" if hint else ""))
        raise SystemExit(1) from None


def _await_all(replicas: list[_Replica], stopping: list[int]) -> None:
    """Wait until all listen. Raises ReplicasFailed if one ends before."""
    deadline = time.monotonic() + START_SECONDS
    while not stopping and (waiting := [each for each in replicas if not each.is_ready]):
        if time.monotonic() > deadline:
            raise ReplicasFailed(f"replica {waiting[0].number} didn't listen within {START_SECONDS:.0f} s")
        for each in waiting:
            if each.told in wait([each.told], _LOOK_SECONDS):
                each.is_ready = _heard(each)


def _heard(replica: _Replica) -> bool:
    """Return whether a replica says that it listens. Raises ReplicasFailed with what it says instead."""
    try:
        said = str(replica.told.recv())
    except EOFError:
        said = ""
    replica.process.join(0 if said.rpartition(":")[2].isdigit() else _KILL_SECONDS)
    if replica.process.is_alive():
        return True
    raise ReplicasFailed(said or f"replica {replica.number} ended with {replica.process.exitcode} before it listened")


def _look_after(replicas: list[_Replica], config: ServerConfig, serve_one: ServeOne) -> None:
    """Start anew what ended by itself."""
    for at, each in enumerate(replicas):
        if not each.process.is_alive():
            log().error("a replica ended and is started again", replica=each.number, exit_code=each.process.exitcode)
            each.told.close()
            time.sleep(AGAIN_SECONDS)
            replicas[at] = _start(config, each.number, serve_one)
    wait([each.process.sentinel for each in replicas], _LOOK_SECONDS)


def _stop(replicas: list[_Replica], grace_seconds: float) -> None:
    for each in replicas:
        each.process.terminate()
    deadline = time.monotonic() + grace_seconds + _KILL_SECONDS
    for each in replicas:
        each.process.join(max(deadline - time.monotonic(), 0.1))
        if each.process.is_alive():
            each.process.kill()
            each.process.join()
        each.told.close()
