"""The reference server in this process, with the pipelines that a test hands in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from opentelemetry.trace import Tracer

from conformance.credentials import ROLES, Credentials, Role
from reference_server.bootstrap import Application, build
from reference_server.clock import Clock
from reference_server.config import ServerConfig
from reference_server.pipeline import Operation
from reference_server.pipelines import OPERATIONS
from reference_server.server import Server, new_event_loop
from stores.contract import Store
from stores.registry import open_store

START_SECONDS = 30.0


def identity(role: str) -> str:
    """The identity of a role."""
    return f"ida-{role}"


CREDENTIALS = Credentials({role: Role(role, id=identity(role), token=f"token-{role}") for role in ROLES})
"""One account for each role; only the operator is told to the server."""
TOKENS = {f"token-{role}": identity(role) for role in ROLES}


def token_file() -> str:
    """The reference server's token file for `CREDENTIALS`."""
    return "\n".join(
        f'[[callers]]\nid = "{identity(role)}"\ntoken = "token-{role}"\noperator = {str(role == "operator").lower()}\n'
        for role in ROLES
    )


@contextmanager
def reference(
    profile: str,
    *,
    operations: Mapping[str, Operation] = OPERATIONS,
    store: str = "memory:",
    fast_paths: bool = True,
    tracer: Tracer | None = None,
    settings: Mapping[str, Any] | None = None,
    around: Callable[[Store], Store] = lambda store: store,
    clock: Clock | None = None,
) -> Iterator[str]:
    """Serve the reference over a store; yield its address.

    Args:
        profile: `cloud` or `oss`.
        operations: the pipelines, by the operation's name.
        store: a store URL; `{folder}` in it stands for a temporary folder that goes with the server.
        fast_paths: answer as the server that people run does; without, every request takes its steps.
        tracer: makes the spans of operations and steps.
        settings: fields of `ServerConfig` that differ.
        around: what stands around the store.
        clock: where times and ids come from.
    """
    with (
        TemporaryDirectory(prefix="reference-") as folder,
        open_store(store.format(folder=folder), create=True) as opened,
    ):
        tokens = Path(folder) / "tokens.toml"
        tokens.write_text(token_file(), encoding="utf-8")
        config = ServerConfig(
            listen="127.0.0.1:0",
            profile=profile,
            tokens=str(tokens) if profile == "cloud" else "",
            grace_seconds=0.0,
            fast_paths=fast_paths,
            reflection=True,
        )
        config = replace(config, **(settings or {}))
        application = build(config, around(opened), clock=clock, operations=operations, tracer=tracer)
        with _served(config, application) as address:
            yield address


@contextmanager
def _served(config: ServerConfig, application: Application) -> Iterator[str]:
    loop = new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="reference", daemon=True)
    thread.start()

    async def start() -> tuple[Server, str]:
        server = Server(config, application)
        return server, await server.start()

    server, address = asyncio.run_coroutine_threadsafe(start(), loop).result(START_SECONDS)
    try:
        yield address
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
        loop.close()
