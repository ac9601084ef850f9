"""Early answers to gets by id: from the request's bytes to the stored ones, with no message in between.

An early answer stands for exactly the steps in `GET`. Whenever the answer isn't plainly the stored bytes (a request of
another shape, nothing there, a caller who may not, secrets to hide, a store that fails) it leaves the request to the
pipeline. Responses that were given lately are kept in a cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceId
from protos.buf.validate import validate_pb2
from protos.options import option_of
from reference_server.authorization.model import Caller, Ref
from reference_server.authorization.policies import KIND as POLICY
from reference_server.authorization.policies import StoredPolicies
from reference_server.pipeline import EarlyAnswer, Operation, ServerContext, record_spans
from reference_server.pipelines import GET
from reference_server.profile import Profile
from reference_server.redaction import may_hold_secrets
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Batch, Delete, Put, Store, StoreError

CACHE_BYTES_MAX = 32 * 1024 * 1024
RESPONSE_BYTES_MAX = 256 * 1024
"""Larger ones would push out too many others."""
_ENTRY_BYTES, _CALLER_BYTES = 500, 150
"""What an entry takes beside its response, and what each further caller takes."""
ID_BYTES_MAX = 127
"""The length of a longer id takes two bytes on the wire."""
_HEADER = ApiResourceId(value="x").SerializeToString()[:-1]
"""Tag and length (of one byte) before an id in field 1."""
_TAG = _HEADER[0]

Key = tuple[str, bytes]
"""A kind, and the bytes of a request."""


def request_of(id_: str) -> bytes:
    """Return the bytes of a request that is an id in field 1; right for ids of up to 127 bytes."""
    raw = id_.encode()
    return bytes((_TAG, len(raw) & ID_BYTES_MAX)) + raw


class ResponseCache:
    """Responses by kind and request, at most so many bytes of them, each with the callers who may have it.

    A response is forgotten when a write of its resource begins, and not learned again before that write has ended, so
    nobody is told an older state after somebody was told a newer one. When a policy is removed, or the store is opened
    again, all are forgotten.
    A `WriteObserver`.
    """

    def __init__(self, bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._known: dict[Key, tuple[bytes, set[str]]] = {}
        self._writing: Counter[Key] = Counter()
        """What is being written, by how many writes."""
        self._barred = 0
        """For how many reasons nothing is learned: writes under way that remove a policy, the store opened again."""

    def find(self, kind: str, request: bytes, caller_id: str) -> bytes | None:
        """Return the response if it is known and this caller may have it. What isn't found is to be learned."""
        known = self._known.get((kind, request))
        return known[0] if known is not None and caller_id in known[1] else None

    def learn(self, kind: str, request: bytes, caller_id: str, response: bytes) -> None:
        """Remember what a caller was rightly answered just now. Nobody else is ever answered something else."""
        key = (kind, request)
        if self._barred or key in self._writing or len(response) > RESPONSE_BYTES_MAX:
            return
        known = self._known.get(key)
        if known is None:
            self._known[key] = (response, {caller_id})
            self._bytes += len(response) + _ENTRY_BYTES + _CALLER_BYTES
        else:
            known[1].add(caller_id)
            self._bytes += _CALLER_BYTES
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._known)))

    def writing(self, batch: Batch) -> None:
        """See `WriteObserver`."""
        keys = list(_rewritten(batch))
        self._writing.update(keys)
        for key in keys:
            self._forget(key)
        if _revokes(batch):
            self._forget_all()

    def written(self, batch: Batch) -> None:
        """See `WriteObserver`."""
        keys = list(_rewritten(batch))
        self._writing.subtract(keys)
        for key in keys:
            if not self._writing[key]:
                del self._writing[key]
        self._barred -= _revokes(batch)

    def reopening(self) -> None:
        """See `WriteObserver`."""
        self._forget_all()

    def reopened(self) -> None:
        """See `WriteObserver`."""
        self._barred -= 1

    def _forget_all(self) -> None:
        """Forget everything, and learn nothing for now."""
        self._barred += 1
        self._known.clear()
        self._bytes = 0

    def _forget(self, key: Key) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._bytes -= len(known[0]) + _ENTRY_BYTES + len(known[1]) * _CALLER_BYTES


class NoCache(ResponseCache):
    """Keeps nothing: others write the same store, or decide."""

    def learn(self, kind: str, request: bytes, caller_id: str, response: bytes) -> None:
        """Learn nothing."""


def _rewritten(batch: Batch) -> Iterable[Key]:
    return ((each.kind, request_of(each.id)) for each in batch if isinstance(each, Put | Delete))


def _revokes(batch: Batch) -> bool:
    return any(isinstance(each, Delete) and each.kind == POLICY for each in batch)


def early_get(operation: Operation, context: ServerContext, store: Store, cache: ResponseCache) -> EarlyAnswer | None:
    """Return the early answer of an operation, or None if it isn't a get by id and nothing else."""
    steps = tuple(step for step in GET if context.profile in step.profiles)
    if operation.steps != steps or not _is_one_id(operation.request_type):
        return None
    open_to_all = context.profile is Profile.OSS
    may_get = (lambda _caller, _id: True) if open_to_all else _may_get(operation, context, store)
    find, kind, known, learn = store.get_bytes, operation.kind.name, cache.find, cache.learn
    parse = operation.response_type.FromString

    def look(data: bytes, caller: Caller) -> bytes | None:
        id_ = _only_id(data)
        found = None if id_ is None else find(kind, id_)
        if id_ is None or found is None or not may_get(caller, id_):
            return None
        if not open_to_all and may_hold_secrets(found):
            return None
        parse(found)  # what is kept for callers is what they will understand
        learn(kind, data, caller.id, found)
        return found

    def get(data: bytes, caller: Caller | None) -> bytes | None:
        if caller is None:
            return None
        try:
            return known(kind, data, caller.id) or look(data, caller)
        except (StoreError, DecodeError):
            return None

    return get if context.tracer is None else _traced(get, operation, context)


def _traced(get: EarlyAnswer, operation: Operation, context: ServerContext) -> EarlyAnswer:
    """Record the spans of the steps that an early answer stands for; without an answer, the steps record them."""

    def traced(data: bytes, caller: Caller | None) -> bytes | None:
        response = get(data, caller)
        if response is not None:
            record_spans(context, operation)
        return response

    return traced


def _may_get(operation: Operation, context: ServerContext, store: Store) -> Callable[[Caller, str], bool]:
    """Return how Authorize decides by the method's option."""
    requirement = operation.requirement
    if requirement is None or requirement.field_path != "value":
        return lambda _caller, _id: False
    allows, permission, kind = context.authorizer.allows, requirement.permission, requirement.resource_kind
    if store.capabilities.shared_writers:  # what a unit of work has foreseen is for one request only
        return lambda caller, id_: allows(caller.ref, permission, Ref(kind, id_), StoredPolicies(UnitOfWork(store)))
    policies = StoredPolicies(UnitOfWork(store))
    return lambda caller, id_: allows(caller.ref, permission, Ref(kind, id_), policies)


def _is_one_id(request_type: type[Message]) -> bool:
    """Say whether a request is an id in field 1 and nothing else, and any id that isn't empty is valid."""
    fields = request_type.DESCRIPTOR.fields
    if [(field.name, field.number, field.type) for field in fields] != [("value", 1, FieldDescriptor.TYPE_STRING)]:
        return False
    rules = option_of(fields[0].GetOptions(), validate_pb2.field)
    return rules is None or [rule.name for rule, _ in rules.ListFields()] == ["required"]


def _only_id(data: bytes) -> str | None:
    """Return the id in a request of the usual shape: the field's tag, a length of one byte, the text."""
    length = len(data) - len(_HEADER)
    if 0 < length <= ID_BYTES_MAX and data[0] == _TAG and data[1] == length:
        try:
            return data[len(_HEADER) :].decode()
        except UnicodeDecodeError:
            return None
    return None


def install(context: ServerContext, store: Store) -> ServerContext:
    """Return the context with early answers to the gets, and with the cache that they share."""
    is_alone = not (store.capabilities.shared_writers or context.authorizer.waits)
    cache = ResponseCache() if is_alone else NoCache()
    early = {name: early_get(each, context, store, cache) for name, each in context.operations.items()}
    found = {name: answer for name, answer in early.items() if answer is not None}
    return replace(context, early_answers=found, observers=(*context.observers, cache))
