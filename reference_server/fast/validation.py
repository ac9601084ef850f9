"""Rule check: valid messages are recognized without asking the validation library.

The rules of a message type are compiled from its descriptor, once. The check is sound, not complete: True means that
protovalidate finds no violation, False means: ask protovalidate. It covers the kinds of rules that the contract has;
most requests are valid, and the library converts each message before it looks at it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protos.buf.validate import validate_pb2
from protos.kinds import KINDS
from protos.options import option_of
from reference_server.fast import with_steps
from reference_server.pipeline import ServerContext, State
from reference_server.steps.validate_field_constraints import validate_field_constraints as plain
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Store

Check = Callable[[Any], bool]
"""Says of a message, or of a field's value, whether it surely breaks no rule."""

_COMPARISONS: dict[str, Callable[[Any, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_LIMITS: dict[str, Callable[[Any], Check]] = {
    "const": lambda limit: lambda value: bool(value == limit),
    "min_len": lambda limit: lambda value: len(value) >= limit,
    "max_len": lambda limit: lambda value: len(value) <= limit,
    "gte": lambda limit: lambda value: bool(value >= limit),
}
"""ServerContext about one value, by their names: from what the descriptor says to what a value must pass."""
_TERM = re.compile(r"\s*this\.([a-z_]+) *(==|!=|>=|<=|>|<) *(\d+)\s*")
_PLAIN_PATTERN = re.compile(r"[\w^$|\[\]{}+*. -]*", re.ASCII)
"""Patterns made of these mean the same in RE2 and in Python, but for `$`."""


def is_surely_valid(message: Any) -> bool:  # noqa: ANN401 - any message
    """Say whether a message surely breaks no rule of its descriptor. False means: ask protovalidate."""
    return _of_type(message.DESCRIPTOR)(message)


@cache
def _of_type(descriptor: Descriptor) -> Check:
    return _all_of(list(_of_message(descriptor, ())))


def _of_message(descriptor: Descriptor, above: tuple[Descriptor, ...]) -> Iterable[Check]:
    """Yield what a message of this type must pass; `above` are the types around it."""
    own = [option_of(descriptor.GetOptions(), validate_pb2.message)]
    own += [option_of(oneof.GetOptions(), validate_pb2.oneof) for oneof in descriptor.oneofs]
    if descriptor in above or any(rules is not None for rules in own):
        yield _never
        return
    for field in descriptor.fields:
        yield from _of_field(field, (*above, descriptor))


def _of_field(field: FieldDescriptor, above: tuple[Descriptor, ...]) -> Iterable[Check]:
    rules = option_of(field.GetOptions(), validate_pb2.field)
    own = [] if rules is None else list(_of_rules(rules, field))
    if field.message_type is None:
        return [_on(field.name, own)] if own else []
    if field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"].message_type
        inner = [] if value is None else list(_of_message(value, above))
        return [_never] if own or inner else []
    own += _of_message(field.message_type, above)
    if not own:
        return []
    if field.is_repeated:
        return [_on_each(field.name, own)]
    return [_on_present(field.name, own, required=rules is not None and rules.required)]


def _of_rules(rules: Any, field: FieldDescriptor) -> Iterable[Check]:  # noqa: ANN401 - buf.validate.FieldRules
    """Yield what a value (of a repeated field: each item) must pass by the field's own rules."""
    for rule, value in rules.ListFields():
        match rule.name:
            case "required" if field.message_type is None and not field.is_repeated:
                yield bool
            case "required" if field.message_type is not None and not field.is_repeated:
                pass  # the field's presence, which `_on_present` asks for
            case "cel":
                yield from (_of_expression(each.expression) for each in value)
            case "repeated" if [inner.name for inner, _ in value.ListFields()] == ["items"]:
                yield from _of_rules(value.items, field)
            case "string" | "enum" | "int32" if not field.is_repeated:
                yield from (_of_scalar(field, inner.name, limit) for inner, limit in value.ListFields())
            case _:
                yield _never


def _of_scalar(field: FieldDescriptor, rule: str, limit: Any) -> Check:  # noqa: ANN401 - as the rule's type says
    if rule == "defined_only" and field.enum_type is not None:
        return frozenset(field.enum_type.values_by_number).__contains__
    if rule == "pattern" and _PLAIN_PATTERN.fullmatch(limit):
        found = re.compile(limit.replace("$", r"\Z"), re.ASCII).search
        return lambda value: found(value) is not None
    return _LIMITS[rule](limit) if rule in _LIMITS else _never


def _of_expression(expression: str) -> Check:
    """Compile comparisons of fields with numbers, joined by `&&` or by `||`; anything else is for the library."""
    joined = "||" if "||" in expression else "&&"
    found = [_TERM.fullmatch(term) for term in expression.split(joined)]
    terms = [_comparison(*term.groups()) for term in found if term is not None]
    if len(terms) < len(found):
        return _never
    return _all_of(terms) if joined == "&&" else _any_of(terms)


def _comparison(name: str, sign: str, number: str) -> Check:
    get, compare, limit = operator.attrgetter(name), _COMPARISONS[sign], int(number)
    return lambda message: compare(get(message), limit)


def _on(name: str, own: list[Check]) -> Check:
    get, holds = operator.attrgetter(name), _all_of(own)
    return lambda message: holds(get(message))


def _on_present(name: str, own: list[Check], *, required: bool) -> Check:
    get, holds = operator.attrgetter(name), _all_of(own)
    if required:
        return lambda message: message.HasField(name) and holds(get(message))
    return lambda message: not message.HasField(name) or holds(get(message))


def _on_each(name: str, own: list[Check]) -> Check:
    get, holds = operator.attrgetter(name), _all_of(own)

    def each(message: object) -> bool:
        items = get(message)
        return not items or all(map(holds, items))

    return each


def _all_of(checks: list[Check]) -> Check:
    match checks:
        case [only]:
            return only
        case [first, second]:
            return lambda value: first(value) and second(value)

    def every(value: object) -> bool:
        for check in checks:  # noqa: SIM110 - all() over a generator takes twice the time
            if not check(value):
                return False
        return True

    return every


def _any_of(checks: list[Check]) -> Check:
    return lambda value: any(check(value) for check in checks)


def _never(_: object) -> bool:
    return False


def validate_field_constraints(state: State, work: UnitOfWork) -> State:
    """Let a message pass that is surely valid; ask the plain step about any other."""
    return state if is_surely_valid(state.request) else plain(state, work)


def install(context: ServerContext, store: Store) -> ServerContext:  # noqa: ARG001 - the signature of a layer
    """Return the context with the check before the plain step, compiled for what is sent most."""
    for kind in KINDS.values():
        is_surely_valid(kind.message_type())
    return with_steps(context, {plain: validate_field_constraints})
