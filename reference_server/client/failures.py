"""What can go wrong between the client and a server, told as a person reads it: what, which field, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import grpc
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"

HINTS: dict[grpc.StatusCode, str] = {
    grpc.StatusCode.UNAUTHENTICATED: "Give a token that the server knows: --token TOKEN, or the variable PARITY_TOKEN.",
    grpc.StatusCode.PERMISSION_DENIED: (
        "The token's account may not do this. Use another token, or another organization (--org)."
    ),
    grpc.StatusCode.NOT_FOUND: "The list command shows what is there.",
    grpc.StatusCode.ALREADY_EXISTS: "Choose another slug, or change the resource that has it with update or apply.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "The server did not answer in time. Give it more with --timeout SECONDS.",
    grpc.StatusCode.UNIMPLEMENTED: (
        "This server does not offer that operation. Events and permissions are of the cloud profile."
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: "The request is too large or the server too busy; try again later.",
    grpc.StatusCode.ABORTED: "Somebody else changed the same resource. Try again.",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of the request and what is wrong with it."""

    field: str
    description: str


class ClientError(Exception):
    """Root of what the client raises on purpose. `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class BadInput(ClientError):
    """What the person gave (a file, an option) is wrong; nothing was sent."""


class Unreachable(ClientError):
    """No server answered at the address, or one that can't serve now."""


class Refused(ClientError):
    """The server answered with an error."""

    def __init__(self, code: grpc.StatusCode, message: str, violations: tuple[Violation, ...]) -> None:
        lines = [f"{code.name}: {message or 'the server gave no reason'}"]
        told = [f"{violation.field or 'request'}: {violation.description}" for violation in violations]
        lines += [f"  {sentence}" for sentence in told if sentence not in message]  # some servers say it twice
        super().__init__("\n".join(lines), hint=HINTS.get(code, ""))
        self.code = code
        self.violations = violations


class Changed(ClientError):
    """Somebody else changed the resource between the reading and the writing of it."""


def raise_all(failures: Sequence[ClientError]) -> None:
    """Raise what several operations failed with, as one error; nothing for none."""
    if len(failures) == 1:
        raise failures[0]
    if failures:
        hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
        raise ClientError("\nerror: ".join(map(str, failures)), hint="\n".join(hints))


def failure_of(error: grpc.RpcError, address: str) -> ClientError:
    """Translate a failed call."""
    call = cast("grpc.Call", error)  # the error of a call is the call, whatever its declared type
    code, message = call.code(), call.details() or ""
    answered = any(key == _DETAILS_KEY for key, _ in call.trailing_metadata() or ())
    if code is grpc.StatusCode.UNAVAILABLE and answered:
        return Unreachable(f"{address} can't serve now: {message}", hint="Try again; the server's log says more.")
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unreachable(
            f"no server answers at {address} ({message})",
            hint="Start one with `parity serve`, or name another with --address HOST:PORT or PARITY_ADDRESS.",
        )
    return Refused(code, message, _violations(call))


def _violations(call: grpc.Call) -> tuple[Violation, ...]:
    found: list[Violation] = []
    for key, value in call.trailing_metadata() or ():
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        for detail in status_pb2.Status.FromString(value).details:
            bad_request = error_details_pb2.BadRequest()
            if detail.Unpack(bad_request):
                found += [Violation(item.field, item.description) for item in bad_request.field_violations]
    return tuple(found)
