"""A real server on a loopback port, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.pipeline import Operation
from reference_server.pipelines import OPERATIONS
from reference_server.server import Server
from stores.contract import Store
from stores.registry import open_store

START_SECONDS = 20.0
SERVER_THREAD = "server"


@dataclass
class Running:
    """A server's address and a channel to it."""

    address: str
    channel: Any  # grpc-stubs lag behind grpcio: they miss defaults, iteration and cancel
    store: Store

    def call(self, method: str, request: Any, response: Any, token: str = "", timeout: float = 10.0) -> Any:
        """Call a method by its full name, `package.Service/Method`."""
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        invoke = self.channel.unary_unary(
            f"/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return invoke(request, metadata=metadata, timeout=timeout)


@contextmanager
def running(
    config: ServerConfig, store_url: str = "memory:", operations: Mapping[str, Operation] = OPERATIONS
) -> Iterator[Running]:
    """Serve until the block ends; requests in flight get the grace period of the configuration."""
    ready: threading.Event = threading.Event()
    shared: dict[str, Any] = {}

    async def main() -> None:
        with open_store(store_url, create=True) as store:
            server = Server(config, build(config, store, operations=operations))
            shared["store"] = store
            shared["stop"] = asyncio.Event()
            shared["loop"] = asyncio.get_running_loop()
            shared["address"] = await server.start()
            ready.set()
            await shared["stop"].wait()
            await server.stop()

    def run() -> None:
        try:
            asyncio.run(main())
        except Exception as error:  # noqa: BLE001 - handed to the test
            shared["error"] = error
            ready.set()

    thread = threading.Thread(target=run, name=SERVER_THREAD, daemon=True)
    thread.start()
    assert ready.wait(START_SECONDS), "the server didn't start in time"
    if "error" in shared:
        raise shared["error"]
    try:
        with grpc.insecure_channel(shared["address"]) as channel:
            yield Running(shared["address"], channel, shared["store"])
    finally:
        shared["loop"].call_soon_threadsafe(shared["stop"].set)
        thread.join(START_SECONDS)
        assert not thread.is_alive(), "the server didn't stop"
