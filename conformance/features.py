"""What not every server offers, and how the suite finds out.

A target may declare its features. A declared one is enforced; an undeclared one is not applicable, and probed to
answer UNIMPLEMENTED. Without a declaration the suite believes what the probe sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import grpc
from grpc_health.v1 import health_pb2
from pydantic import BaseModel, ConfigDict, field_validator

from conformance.line import ATTEMPTS_MAX
from conformance.methods import METHODS, Proto
from conformance.reflection import LIST_SERVICES, reflect
from conformance.target_client import TargetClient
from conformance.toml_file import read_toml

FEATURES: tuple[str, ...] = ("list", "watch", "health", "reflection", "restartable")


class DeclarationInvalid(Exception):
    """The declaration can't be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a target says of itself. None for a feature: it says nothing, so the probe decides."""

    features: Mapping[str, bool | None]
    profile: str = ""

    def of(self, feature: str) -> bool | None:
        """What is said about one feature."""
        return self.features.get(feature)


NOTHING_DECLARED = Declaration({})


class _File(BaseModel):
    model_config = ConfigDict(strict=True)

    profile: Literal["", "cloud", "oss"] = ""
    features: dict[str, bool] = {}

    @field_validator("features")
    @classmethod
    def _are_known(cls, rows: dict[str, bool]) -> dict[str, bool]:
        for name in rows:
            if name not in FEATURES:
                raise ValueError(f"unknown feature {name!r}; use true or false for {', '.join(FEATURES)}")
        return rows


def read_declaration(path: Path) -> Declaration:
    """Read a declaration: TOML with `profile = "oss"` and `[features]` of booleans.

    A file that exists speaks for every feature: what it doesn't name isn't offered.

    Raises:
        DeclarationInvalid: the file is missing, no TOML, or names unknown features.
    """
    file = read_toml(path, _File, DeclarationInvalid)
    return Declaration({name: file.features.get(name, False) for name in FEATURES}, file.profile)


def decide(declaration: Declaration, served: Mapping[str, bool]) -> dict[str, bool]:
    """Return which features are enforced: the declared ones, or, where nothing is said, the served ones."""
    decided = {name: declaration.of(name) for name in FEATURES}
    return {name: served[name] if said is None else said for name, said in decided.items()}


_Status = tuple[grpc.StatusCode, str]


def probe(client: TargetClient, metadata: tuple[tuple[str, str], ...]) -> dict[str, bool]:
    """Ask the target for each feature: anything but UNIMPLEMENTED counts as served."""
    agents = METHODS["list.agents"]
    asked: dict[str, Callable[[], _Status]] = {
        "list": lambda: _unary(client, agents.path, agents.request(), metadata),
        "watch": lambda: _watch(client, metadata),
        "health": lambda: _unary(client, "/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest(), ()),
        "reflection": lambda: _reflection(client),
    }
    return {name: _is_served(client, ask) for name, ask in asked.items()} | {"restartable": client.running.restartable}


def _is_served(client: TargetClient, ask: Callable[[], _Status]) -> bool:
    """Ask, again while the line loses the answer."""
    for _ in range(ATTEMPTS_MAX):
        code, details = ask()
        if not client.lost(code.name, details):
            break
    return code is not grpc.StatusCode.UNIMPLEMENTED


def _unary(client: TargetClient, path: str, request: Proto, metadata: tuple[tuple[str, str], ...]) -> _Status:
    call: Any = client.channel.unary_unary(path, None, None)
    try:
        call(request.SerializeToString(), timeout=client.deadline_seconds, metadata=metadata, wait_for_ready=True)
    except grpc.RpcError as error:
        return _status_of(error)
    return grpc.StatusCode.OK, ""


def _watch(client: TargetClient, metadata: tuple[tuple[str, str], ...]) -> _Status:
    method = METHODS["event.watch"]
    call: Any = client.channel.unary_stream(method.path, None, None)
    stream = call(
        method.request(from_now=True).SerializeToString(),
        timeout=client.deadline_seconds,
        metadata=metadata,
        wait_for_ready=True,
    )
    return _first(stream)


def _reflection(client: TargetClient) -> _Status:
    found = reflect(client, LIST_SERVICES)
    return found.status, found.details


def _first(stream: Any) -> _Status:  # noqa: ANN401 - untyped library
    """Wait for a stream's first message, and end it."""
    try:
        next(stream)
    except (grpc.RpcError, StopIteration):
        return _status_of(stream)
    finally:
        stream.cancel()
    return grpc.StatusCode.OK, ""


def _status_of(call: Any) -> _Status:  # noqa: ANN401 - untyped library; what it raises is a call too
    return call.code(), call.details() or ""
