"""The errors of the API: one class per answer, each with its gRPC code and a reason that never changes.

Steps raise these; `servicers` turns them into a `google.rpc.Status` with details. The reason is for programs
(`ErrorInfo.reason`), the message for people: it says what, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN = "parity.v1"
MESSAGE_BYTES_MAX = 768
TEXT_BYTES_MAX = 128
"""Of a field path, a name, a description within the details."""
VIOLATIONS_MAX = 5


def bounded(text: str, bytes_max: int = TEXT_BYTES_MAX) -> str:
    """Return a text of at most so many bytes in UTF-8, and how many bytes were left out."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= bytes_max:
        return text
    left_out = len(raw) - bytes_max
    return raw[:bytes_max].decode("utf-8", "ignore") + f"… ({left_out} bytes more)"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One broken rule: the path of the field (`spec.instructions`), what is wrong, and the rule's id."""

    field: str
    description: str
    rule_id: str = ""


class ApiError(Exception):
    """Root of all errors that are answers to a caller."""

    code: ClassVar[int] = code_pb2.INTERNAL
    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def details(self) -> Iterable[Message]:
        """Yield the typed details beside the `ErrorInfo` that every error carries."""
        return ()

    def info(self) -> dict[str, str]:
        """Return the metadata of the `ErrorInfo`."""
        return {}

    def to_status(self) -> status_pb2.Status:
        """Return the whole answer: code, message, ErrorInfo, and the details of this class.

        It fits into the 8 KiB of metadata that gRPC clients take, however long the texts are that it speaks of.
        """
        status = status_pb2.Status(code=self.code, message=bounded(self.message, MESSAGE_BYTES_MAX))
        metadata = {key: bounded(value) for key, value in self.info().items()}
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=metadata)
        for detail in (info, *self.details()):
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status


class InvalidArgument(ApiError):
    """The request itself is wrong, whatever is stored."""

    code = code_pb2.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"

    def __init__(self, violations: Iterable[FieldViolation]) -> None:
        self.violations = tuple(violations)
        told = [f"{v.field}: {v.description}" if v.field else v.description for v in self.violations[:VIOLATIONS_MAX]]
        more = len(self.violations) - VIOLATIONS_MAX
        super().__init__("; ".join([*told, f"and {more} more"] if more > 0 else told))

    def details(self) -> Iterable[Message]:
        """Yield a BadRequest with a violation per broken rule."""
        bad = error_details_pb2.BadRequest()
        for violation in self.violations[:VIOLATIONS_MAX]:
            bad.field_violations.add(
                field=bounded(violation.field),
                description=bounded(violation.description),
                reason=bounded(violation.rule_id),
            )
        more = len(self.violations) - VIOLATIONS_MAX
        if more > 0:
            bad.field_violations.add(description=f"and {more} more")
        yield bad


class MalformedRequest(ApiError):
    """The bytes of the request are no message of the method's type."""

    code = code_pb2.INVALID_ARGUMENT
    reason = "MALFORMED_REQUEST"


class Unauthenticated(ApiError):
    """No credentials, or credentials that nobody holds."""

    code = code_pb2.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class PermissionDenied(ApiError):
    """The caller is known and may not do this. Says the same whether the resource exists or not."""

    code = code_pb2.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class _AboutResource(ApiError):
    """An error about one resource; carries a `ResourceInfo`."""

    def __init__(self, kind: str, name: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.name = name

    def details(self) -> Iterable[Message]:
        yield error_details_pb2.ResourceInfo(
            resource_type=self.kind, resource_name=bounded(self.name), description=bounded(self.message)
        )


class NotFound(_AboutResource):
    """There is no such resource."""

    code = code_pb2.NOT_FOUND
    reason = "RESOURCE_NOT_FOUND"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name, f"there is no {kind} {name!r}; check the id or slug, or create it first")


class AlreadyExists(_AboutResource):
    """A slug key or an id is taken."""

    code = code_pb2.ALREADY_EXISTS
    reason = "RESOURCE_ALREADY_EXISTS"

    def __init__(self, kind: str, name: str, holder_id: str, what: str) -> None:
        super().__init__(
            kind, name, f"{kind} {what} {name!r} is taken by {holder_id}; choose another, or update that resource"
        )
        self.holder_id = holder_id

    def info(self) -> dict[str, str]:
        """Return who holds what was asked for."""
        return {"holder_id": self.holder_id}


class Aborted(ApiError):
    """Other requests kept changing the same resource. Send the request again."""

    code = code_pb2.ABORTED
    reason = "CONCURRENT_CHANGE"


class DeadlineExceeded(ApiError):
    """The caller's deadline passed before the commit; nothing was changed."""

    code = code_pb2.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class ResourceExhausted(ApiError):
    """More than the server takes at once (requests in flight, a watcher that is too slow)."""

    code = code_pb2.RESOURCE_EXHAUSTED
    reason = "LIMIT_REACHED"


class FailedPrecondition(ApiError):
    """The server is set up so that it can't do this."""

    code = code_pb2.FAILED_PRECONDITION
    reason = "FAILED_PRECONDITION"


class OutOfRange(ApiError):
    """A watch or a backup asks for events that are gone, or not there yet."""

    code = code_pb2.OUT_OF_RANGE
    reason = "EVENTS_CLEARED"


class Unavailable(ApiError):
    """The server can't serve now: it is shutting down, or the store's medium fails. Try again later."""

    code = code_pb2.UNAVAILABLE
    reason = "UNAVAILABLE"


class OutcomeUnknown(Unavailable):
    """The connection with the store broke during a commit: it was done whole, or not at all."""

    reason = "OUTCOME_UNKNOWN"


class AuthorizerUnavailable(Unavailable):
    """Who decides over permissions can't be asked, so nothing is allowed. Nothing was changed."""

    reason = "AUTHORIZER_UNAVAILABLE"

    def __init__(self) -> None:
        """Why it can't be asked may name hosts of the server, so it stays in the log."""
        super().__init__("the authorizer can't be asked now; the operator finds the reason in the log. Try again later")


class AuthorizerBehind(Unavailable):
    """Who decides over permissions hasn't heard yet of what the decision rests on. Nothing was changed."""

    reason = "AUTHORIZER_BEHIND"

    def __init__(self) -> None:
        super().__init__("the authorizer hasn't heard yet of what was granted; try again later")


class DataLoss(ApiError):
    """A stored record can't be read back. `?` stands for a kind or id that isn't known."""

    code = code_pb2.DATA_LOSS
    reason = "CORRUPT_RECORD"

    def __init__(self, kind: str, resource_id: str) -> None:
        """The reason may name files of the server, so it stays in the log."""
        super().__init__(f"{kind} {resource_id!r} is damaged in the store; the operator finds the reason in the log")
        self.kind = kind
        self.id = resource_id

    def info(self) -> dict[str, str]:
        """Return which record it is."""
        return {"kind": self.kind, "id": self.id}


class Internal(ApiError):
    """A fault of the server. The log holds the trace under the request's id."""
