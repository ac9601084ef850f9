"""The server's sockets and life: listen, serve, drain, stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import cast

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from reference_server.authorization import AUTHORIZER_HEALTH
from reference_server.background_tasks import BackgroundTasks, background_tasks
from reference_server.bootstrap import Application, build
from reference_server.config import ServerConfig
from reference_server.listening import told
from reference_server.metrics import Metrics
from reference_server.profile import Profile
from reference_server.replicas import run_replicas
from reference_server.start_check import ServerError, check_start, metrics_refused, server_credentials
from reference_server.steps.validate_field_constraints import warm_up
from reference_server.store_health import STORE_HEALTH
from reference_server.telemetry import log
from reference_server.transport.admin import ADMIN_SERVICE, AdminServicer
from reference_server.transport.reflection import serve_reflection
from reference_server.transport.servicers import EVENT_SERVICE, Answering, EventServicer, UnaryMethods
from stores.contract import SharedWriters, Store
from stores.registry import open_store

_SWITCH_SECONDS = 0.001
"""So long a thread keeps the interpreter while another waits for it. A durable store commits in a thread of its own,
which the interpreter's own 5 ms would let wait longer than the disk does."""
_COLLECT_AFTER_ALLOCATIONS = 20_000
"""Some hundred requests' worth; the interpreter's own 700 means a collection every few requests."""


_PING_MS = 900
"""Of each second: the network lets pings come closer together than they were sent."""


class Server:
    """One gRPC server over one application."""

    def __init__(self, config: ServerConfig, application: Application) -> None:
        self._config = config
        self._application = application
        self._health = HealthServicer()
        self._telling: set[asyncio.Task[None]] = set()
        self._events = EventServicer(
            application.executor, application.caller_of, config.watch_send_seconds, config.max_watches
        )
        self._admin = AdminServicer(application.executor, application.caller_of, config.watch_send_seconds)
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", config.max_message_bytes),
                ("grpc.max_send_message_length", -1),
                # Two servers on one port would share its connections, each with its own store; replicas have one.
                ("grpc.so_reuseport", int(config.replicas > 1)),
                # Watches are idle for hours, and their clients find out by pings whether the server is still there.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", int(config.client_ping_seconds * _PING_MS)),
            ],
            maximum_concurrent_rpcs=config.max_concurrent_requests + config.max_watches,
        )

    async def start(self) -> str:
        """Begin to serve; return the address, with the port that was taken. Raises ServerError, TokenFileError."""
        await self._application.refresh_callers()
        openfga = self._application.openfga
        if openfga is not None:
            await openfga.probe()
        operations = list(self._application.operations())
        services = {operation.method.containing_service.full_name for operation in operations}
        answering = Answering(self._application.executor, self._metrics())
        offered: list[grpc.GenericRpcHandler[bytes, bytes]] = [
            UnaryMethods(answering, self._application.caller_of, operations),
            self._admin.handler(),
        ]
        services.add(ADMIN_SERVICE)
        if self._application.context.profile is Profile.CLOUD:
            offered.append(self._events.handler())
            services.add(EVENT_SERVICE)
        self._server.add_generic_rpc_handlers(tuple(offered))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        services.add(health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        if self._config.reflection:
            serve_reflection(services, self._server)
        address = self._listen()
        warm_up()
        await self._server.start()
        for service in ("", *services):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        self._application.health.listeners.append(self._tell_health)
        if openfga is not None:
            openfga.availability.listeners.append(self._tell_health)
        await self._set_health()
        return address

    def _tell_health(self, is_healthy: bool) -> None:  # noqa: ARG002 - the signature of a listener
        telling = asyncio.get_running_loop().create_task(self._set_health())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _set_health(self) -> None:
        """Say how the store is, and the authorizer where it is somebody else."""
        healthy = {STORE_HEALTH: self._application.health.is_healthy}
        if self._application.openfga is not None:
            healthy[AUTHORIZER_HEALTH] = self._application.openfga.availability.is_healthy
        for service, is_healthy in healthy.items():
            status = health_pb2.HealthCheckResponse
            await self._health.set(service, status.SERVING if is_healthy else status.NOT_SERVING)

    def _metrics(self) -> Metrics | None:
        if not self._config.metrics:
            return None
        metrics = Metrics(self._application.store, self._application.health)
        try:
            metrics.serve(self._config.metrics)
        except OSError:
            raise ServerError(metrics_refused(self._config.metrics)) from None
        return metrics

    def _listen(self) -> str:
        listen = self._config.listen
        credentials = server_credentials(self._config)
        try:
            if credentials is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, credentials)
        except RuntimeError:
            raise ServerError(told(listen)) from None
        if listen.startswith("unix:"):
            return listen
        return f"{listen.rpartition(':')[0]}:{port}"

    async def stop(self) -> None:
        """Refuse what is new, let what is in flight finish within the grace period, then stop."""
        await self._health.enter_graceful_shutdown()
        self._events.stop()
        self._admin.stop()
        await self._server.stop(self._config.grace_seconds)
        if self._application.openfga is not None:
            await self._application.openfga.close()
        self._application.close()


async def serve(config: ServerConfig, on_ready: Callable[[str], None], ends: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT, or until the file of the descriptor `ends` does.

    Raises ServerError, ConfigError, TokenFileError, StoreError.
    """
    check_start(config)
    with open_store(config.store, create=True) as store:
        await serve_store(config, store, on_ready, ends)


def settle_memory() -> None:
    """Take what start-up has made out of the garbage collector's sight, and let it look less often.

    Modules and descriptors are some 200,000 objects that live as long as the server; every full collection would walk
    all of them while requests wait. Requests leave hardly any cycles: reference counting frees what they made.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER_ALLOCATIONS, 20, 50)


async def serve_store(
    config: ServerConfig, store: Store, on_ready: Callable[[str], None], ends: int | None = None
) -> None:
    """Serve an open store until SIGTERM or SIGINT, or until the file of the descriptor `ends` does."""
    application = build(config, store)
    server = Server(config, application)
    tasks = BackgroundTasks(config, application)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopping.set)
    if ends is not None:
        loop.add_reader(ends, stopping.set)
    address = await server.start()
    settle_memory()
    sys.setswitchinterval(_SWITCH_SECONDS)
    log().info("serving", address=address, profile=config.profile, store=config.store)
    on_ready(address)

    def wake() -> None:
        loop.call_soon_threadsafe(application.queue.committer.wake)

    def away(reason: str) -> None:
        loop.call_soon_threadsafe(application.health.set_refuses_writes, reason)

    async with background_tasks(tasks):
        stop_listening = store.listen(wake, away) if isinstance(store, SharedWriters) else None
        await stopping.wait()
        log().info("stopping", grace_seconds=config.grace_seconds)
        if stop_listening is not None:
            await asyncio.to_thread(stop_listening)
    await server.stop()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop where it is installed (it has no wheels for Windows), else asyncio's own."""
    try:
        return cast("asyncio.AbstractEventLoop", import_module("uvloop").new_event_loop())
    except ImportError:
        return asyncio.new_event_loop()


def run(config: ServerConfig, on_ready: Callable[[str], None]) -> None:
    """Run `serve` on the fastest event loop there is, or in several processes. Raises what `serve` raises.

    Raises ReplicasFailed too.
    """
    if config.replicas > 1:
        run_replicas(config, on_ready, _run_one)
    else:
        _run_one(config, on_ready)


def _run_one(config: ServerConfig, on_ready: Callable[[str], None], ends: int | None = None) -> None:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(config, on_ready, ends))
