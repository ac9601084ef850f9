"""What callers may not see: the values of secrets. Source: behaviour contract, step 11."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from protos.ai.stigmer.agentic.environment.v1.spec_pb2 import EnvironmentSpec, EnvironmentValue
from protos.kinds import AGENT, ENVIRONMENT, ResourceKind

MASK = "***"
_SECRETS_AT: Mapping[str, Callable[[Any], EnvironmentSpec]] = {
    AGENT.name: attrgetter("spec.env_spec"),
    ENVIRONMENT.name: attrgetter("spec"),
}
"""The part of a message whose secret values are redacted, by kind; other kinds have none."""
_SECRET = EnvironmentValue(is_secret=True).SerializeToString()
_TAG, _TRUE = _SECRET[0], _SECRET[1:]
"""`is_secret: true` stands on the wire as these two bytes."""


def may_hold_secrets(data: bytes) -> bool:
    """Say whether the wire bytes of a stored resource need to be looked into: False is sure, True may be chance."""
    at = data.find(_TAG)  # for one byte, which is some 30 times faster than for two
    while at >= 0:
        if data[at + 1 : at + 2] == _TRUE:
            return True
        at = data.find(_TAG, at + 1)
    return False


def _secrets(kind: ResourceKind, resource: Any) -> EnvironmentSpec | None:  # noqa: ANN401 - a message of the kind
    at = _SECRETS_AT.get(kind.name)
    return None if at is None else at(resource)


def redacted(kind: ResourceKind, resource: Any) -> Any:  # noqa: ANN401 - a message of the kind
    """Return the resource as callers see it: itself when it has no secrets, else a copy with `***` for each."""
    spec = _secrets(kind, resource)
    if (
        spec is None
        or not spec.data
        or not any(value.is_secret and value.value != MASK for value in spec.data.values())
    ):
        return resource
    copy = type(resource)()
    copy.CopyFrom(resource)
    public = _secrets(kind, copy)
    if public is not None:
        for value in public.data.values():
            if value.is_secret:
                value.value = MASK
    return copy


def keep_masked_secrets(kind: ResourceKind, new: Any, stored: Any) -> None:  # noqa: ANN401
    """Give every secret that a client sent back as `***` the value that is stored."""
    spec, before = _secrets(kind, new), _secrets(kind, stored)
    if spec is None or before is None:
        return
    for name, value in spec.data.items():
        if value.is_secret and value.value == MASK and name in before.data:
            value.value = before.data[name].value
