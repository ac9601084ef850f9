"""The short way of a get by id: from the request's bytes to the stored ones, with no message in between.

It stands for exactly the steps in `GET` and states no rule of its own. Whenever the answer isn't plainly the stored
bytes (a request of another shape, nothing there, a caller who may not, secrets to hide, a store that fails) it
declines, and the steps find out what that means. It is off where steps are traced.
"""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from protos.buf.validate import validate_pb2
from protos.options import option_of
from reference_server.answers import ID_BYTES_MAX, TAG_OF_ID, Answers
from reference_server.authorization.facts import Facts
from reference_server.authorization.model import Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.call import Caller, Profile, Rules
from reference_server.pipeline import Operation
from reference_server.pipelines import GET
from reference_server.redaction import may_hold_secrets
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Store, StoreError

ShortWay = Callable[[bytes, Caller | None], bytes | None]
"""From a request's bytes and its caller to the response's bytes; None: declined."""

_HEADER_BYTES = 2


def short_get(operation: Operation, rules: Rules, store: Store, facts: Facts, answers: Answers) -> ShortWay | None:
    """Return the short way of an operation, or None if it isn't a get by id and nothing else."""
    steps = tuple(step for step in GET if rules.profile in step.profiles)
    if rules.tracer is not None or operation.steps != steps or not _is_one_id(operation.request_type):
        return None
    open_to_all = rules.profile is Profile.OSS
    may_get = (lambda _caller, _id: True) if open_to_all else _may_get(operation, rules, UnitOfWork(store, facts))
    find, kind, known, learn = store.get_bytes, operation.kind.name, answers.find, answers.learn

    def look(data: bytes, caller: Caller) -> bytes | None:
        id_ = _only_id(data)
        found = None if id_ is None else find(kind, id_)
        if id_ is None or found is None or not may_get(caller, id_):
            return None
        if not open_to_all and may_hold_secrets(found):
            return None
        learn(kind, data, caller.id, found)
        return found

    def get(data: bytes, caller: Caller | None) -> bytes | None:
        if caller is None:
            return None
        try:
            return known(kind, data, caller.id) or look(data, caller)
        except StoreError:
            return None

    return get


def _may_get(operation: Operation, rules: Rules, reads: UnitOfWork) -> Callable[[Caller, str], bool]:
    """Return how Authorize decides by the method's option. `reads` never has anything staged."""
    requirement = operation.requirement
    if requirement is None or requirement.field_path != "value":
        return lambda _caller, _id: False
    allows, permission, kind = rules.authorizer.allows, requirement.permission, requirement.resource_kind
    policies = StoredPolicies(reads)
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
    length = len(data) - _HEADER_BYTES
    if 0 < length <= ID_BYTES_MAX and data[0] == TAG_OF_ID and data[1] == length:
        try:
            return data[_HEADER_BYTES:].decode()
        except UnicodeDecodeError:
            return None
    return None
