"""`wait`: until a resource is there, is gone, or has a value; or until the time is over."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Annotated, Any

import grpc
import typer

from reference_server.client.failures import BadInput, ClientError, Refused
from reference_server.client.jsonpath_text import Template
from reference_server.client.plain import to_plain
from reference_server.client.session import Session
from reference_server.client.verbs import Org, Several

LOOK_SECONDS = 0.25
"""So often it looks again."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "ms": 0.001}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_JSONPATH = "jsonpath="

Holds = Callable[[Any], bool]
"""Whether it is as wanted; asked with a resource, or None where none is found."""


def wait(
    session: Session,
    names: Several,
    condition: Annotated[
        str, typer.Option("--for", metavar="CONDITION", help="create, delete, or jsonpath={.path}[=VALUE].")
    ],
    org: Org = "",
    timeout: Annotated[str, typer.Option("--timeout", help="How long at most, such as 30s or 5m.")] = "30s",
) -> None:
    """Wait until all have come to what --for says; ends with 1 if they haven't in time."""
    holds = condition_of(condition)
    deadline = time.monotonic() + seconds_of(timeout)
    for name in names:
        while not holds(_found(session, name, org)):
            if time.monotonic() + LOOK_SECONDS > deadline:
                raise ClientError(
                    f"{name}: {condition} hasn't come within {timeout}", hint="Give it more: --timeout 5m."
                )
            time.sleep(LOOK_SECONDS)
        typer.echo(f"{session.resources.kind.word}/{name} condition met")


def _found(session: Session, name: str, org: str) -> Any:  # noqa: ANN401 - a resource, or None
    try:
        return session.resources.find(name, org)
    except Refused as refused:
        if refused.code is grpc.StatusCode.NOT_FOUND:
            return None
        raise


def condition_of(text: str) -> Holds:
    """Read what `--for` says. Raises BadInput."""
    if text == "create":
        return lambda resource: resource is not None
    if text == "delete":
        return lambda resource: resource is None
    if not text.startswith(_JSONPATH):
        raise BadInput(f"--for {text}: is no condition", hint="It can be create, delete or jsonpath={.path}[=VALUE].")
    path, brace, wanted = text.removeprefix(_JSONPATH).rpartition("}")
    if not brace or wanted[:1] not in {"", "="}:
        raise BadInput(f"--for {text}: no path in braces", hint="Write jsonpath={.metadata.name}=VALUE.")
    template, value = Template(f"{path}}}"), wanted.removeprefix("=")

    def holds(resource: Any) -> bool:  # noqa: ANN401 - a resource, or None
        found = [] if resource is None else template.find(to_plain(resource))
        return any(str(each) == value for each in found) if wanted else bool(found)

    return holds


def seconds_of(text: str) -> float:
    """Read a duration: seconds, or a number with ms, s, m or h. Raises BadInput."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise BadInput(f"--timeout {text}: is no duration", hint="Write 30s, 5m or 1h.")
    return float(found[1]) * _UNITS[found[2]]
