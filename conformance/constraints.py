"""Field constraints as requirements: every rule of the descriptors, and for each a request that breaks it alone.

Nothing is typed by hand: rules are read from the descriptors, a broken request is found by trying values until
protovalidate, the oracle, names exactly this rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import protovalidate
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.message import Message

from conformance import samples
from conformance.evidence import Json
from conformance.methods import METHODS, Proto
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import GetAgentInstancesByAgentRequest
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceDeleteInput, ApiResourceId
from protos.ai.stigmer.commons.rpc.pagination_pb2 import GooglePageInfo
from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import CheckAuthorizationInput
from protos.buf.validate import validate_pb2
from protos.options import option_of
from protos.parity.v1.list_pb2 import ListRequest

Path = tuple[tuple[str, Any], ...]
"""Steps from a request to one of its messages: field name, and index, map key or None."""
Place = tuple[str, Path]
"""A method, and the path to one of the messages of its request."""
Mutation = Callable[[Any], None]
INT32_MAX = 2**31 - 1

_ODD_NUMBERS = (0, -1, 1, 2, 3, 40, 99, 1001)
"""Values that some CEL rule of the contract refuses; the oracle picks."""
_ODD_TEXTS = ("not a version!", "a b", "", "x")
_LARGE = "\U0001f41d"
"""A character of four bytes, and of two halves in UTF-16."""


def _combining(length: int) -> str:
    """Return so many characters that are half as many signs: a letter and an accent that stands over it."""
    return ("e\u0301" * length)[:length]


@dataclass(frozen=True)
class Rule:
    """One constraint of one field. `rule_id` is protovalidate's name of it, `limit` its number where it has one."""

    id: str
    message: str
    field: str
    name: str
    rule_id: str
    text: str
    limit: int
    on_items: bool
    implied: bool

    @property
    def field_name(self) -> str:
        """Message and field, as read in the wire contract."""
        return f"{self.message.rpartition('.')[2]}.{self.field}"

    @property
    def unreachable(self) -> str:
        """Why no request can break this rule alone."""
        if self.implied:
            return "whatever breaks this rule breaks `required` of the same field, which is evaluated first"
        return "no method takes this message in a request"


@dataclass(frozen=True)
class RuleCase:
    """How to break one rule: in a sample request of which method, in which of its messages, and how."""

    rule: Rule
    method: str
    path: Path
    break_it: Mutation
    keep_it: Mutation
    elsewhere: tuple[Place, ...] = ()
    """Where else in a sample request the rule's message stands, and the rule holds."""

    @property
    def has_edge(self) -> bool:
        """Whether the value that is kept is another one than the sample's: one at the edge of what is allowed."""
        return self.keep_it is not _unchanged

    @property
    def leaves_trace(self) -> bool:
        """Whether a server that is wrong could have stored something that can be looked up."""
        metadata_gone = self.rule.field == "metadata" and self.rule.name == "required"
        return self.method.endswith(".create") and self.method != "policy.create" and not metadata_gone

    def trimmed(self, sample: Message, place: Place | None = None) -> Message:
        """Return the sample without the parts of its spec that the rule isn't about and that may be left out.

        So that a server which can't take one part is told of that part, not of every rule. `place` is one of
        `elsewhere`.
        """
        method, path = place or (self.method, self.path)
        if method != "agent.create":
            return sample
        kept = path[1][0] if len(path) > 1 else self.rule.field
        made: Any = type(sample)()
        made.CopyFrom(sample)
        for field, _ in made.spec.ListFields():
            if field.message_type is not None and field.name != kept:
                made.spec.ClearField(field.name)
        return cast("Message", made)

    def broken(self, sample: Message) -> Message:
        """Return the sample, broken in this rule."""
        return _changed(sample, self.path, self.break_it)

    def broken_at(self, path: Path, sample: Message) -> Message:
        """Return the sample, broken in this rule at another place."""
        return _changed(sample, path, self.break_it)

    def kept_at(self, path: Path, sample: Message) -> Message:
        """Return the sample with the value that is nearest to breaking the rule at another place."""
        return _changed(sample, path, self.keep_it)

    def farthest(self, sample: Message) -> Message | None:
        """Return the sample with the largest number there is; None where the rule is about no least number."""
        return _changed(sample, self.path, _setter(self.rule.field, INT32_MAX)) if self.rule.name == "gte" else None

    def crowded(self, sample: Message) -> Message | None:
        """Return the broken sample with many right items before the broken one; None where it is in no list."""
        broken = self.broken(sample)
        return broken if _crowd(sample, broken) else None

    def nearly(self, sample: Message) -> Message | None:
        """Return the sample with a line's end behind a value that has a form; None where the rule is about no form."""
        if self.rule.name != "pattern":
            return None

        def longer(message: Proto) -> None:
            setattr(message, self.rule.field, f"{getattr(message, self.rule.field)}\n")

        made = _changed(self.kept(sample), self.path, longer)
        return made if protovalidate.collect_violations(made) else None

    def kept(self, sample: Message) -> Message:
        """Return the sample with the value that is nearest to breaking the rule."""
        return _changed(sample, self.path, self.keep_it)


def _files() -> list[FileDescriptor]:
    seen: dict[str, FileDescriptor] = {}

    def visit(file: Proto) -> None:
        if file.name not in seen and file.package.startswith(("ai.stigmer", "parity")):
            seen[file.name] = file
            for dependency in file.dependencies:
                visit(dependency)

    for method in METHODS.values():
        for message in (method.request, method.response):
            visit(message.DESCRIPTOR.file)
    return [seen[name] for name in sorted(seen)]


def _rules_of(field: FieldDescriptor) -> Iterator[Rule]:
    rules: Any = option_of(field.GetOptions(), validate_pb2.field)
    if rules is not None:
        yield from _rules_in(field, rules, on_items=False)


def _rules_in(field: FieldDescriptor, rules: Proto, *, on_items: bool) -> Iterator[Rule]:
    if rules.required:
        yield _rule(field, "required", "required", "`required`", on_items=on_items)
    for cel in rules.cel:
        yield _rule(field, "cel", cel.id, f"the rule {cel.id} ({cel.message})", on_items=on_items)
    kind = rules.WhichOneof("type")
    if kind == "repeated":
        yield from _rules_in(field, rules.repeated.items, on_items=True)
    elif kind:
        for option, value in getattr(rules, kind).ListFields():
            limit = value if isinstance(value, int) and not isinstance(value, bool) else 0
            yield _rule(
                field,
                option.name,
                f"{kind}.{option.name}",
                f"`{kind}.{option.name}` = {value}",
                limit=limit,
                on_items=on_items,
                implied=rules.required and option.name == "min_len" and limit == 1,
            )


def _rule(
    field: FieldDescriptor,
    name: str,
    rule_id: str,
    text: str,
    *,
    on_items: bool,
    limit: int = 0,
    implied: bool = False,
) -> Rule:
    holder: Proto = field.containing_type
    message = str(holder.full_name)
    stem = f"VAL-{message.rpartition('.')[2]}-{field.name}-{name}"
    requirement = stem.upper().replace("_", "-")
    return Rule(requirement, message, field.name, name, rule_id, text, limit, on_items, implied)


RULES: tuple[Rule, ...] = tuple(
    rule
    for file in _files()
    for message in file.message_types_by_name.values()
    for field in message.fields
    for rule in _rules_of(field)
)
"""Every field constraint of the wire contract and of the extension package."""

ROOTS: tuple[tuple[str, Callable[[], Message]], ...] = (
    ("agent.create", lambda: samples.full_agent("n", "o")),
    ("instance.create", lambda: samples.instance("n", "o", "a")),
    ("environment.create", lambda: samples.environment("n", "o")),
    ("agent.get", lambda: METHODS["agent.get"].request(value="x")),
    ("agent.by_reference", lambda: samples.reference("s", "o")),
    ("instance.get", lambda: METHODS["instance.get"].request(value="x")),
    ("instance.by_agent", lambda: GetAgentInstancesByAgentRequest(agent_id="x")),
    ("environment.get", lambda: ApiResourceId(value="x")),
    ("environment.delete", lambda: ApiResourceDeleteInput(resource_id="x")),
    ("list.agents", lambda: ListRequest(page=GooglePageInfo(size=1))),
    ("policy.create", lambda: samples.policy(("a", "b"), "r", ("c", "d"))),
    ("policy.check", lambda: CheckAuthorizationInput(policy=samples.policy(("a", "b"), "r", ("c", "d")))),
    ("policy.get", lambda: METHODS["policy.get"].request(value="x")),
)
"""Which methods take which samples; a rule is exercised through the first method that reaches it."""


@cache
def cases() -> tuple[RuleCase, ...]:
    """For every rule that a request can break alone, how; in the order of the methods."""
    found: dict[str, RuleCase] = {}
    for method, build in ROOTS:
        sample = build()
        for path, message in _messages(sample, ()):
            for rule in RULES:
                if rule.message == message.full_name and rule.id not in found and not rule.implied:
                    case = _find(rule, method, path, sample)
                    if case is not None:
                        found[rule.id] = case
    return tuple(replace(case, elsewhere=tuple(_elsewhere(case))) for case in found.values())


def _elsewhere(case: RuleCase) -> Iterator[Place]:
    """Yield the other places of the samples where the rule can be broken."""
    for method, build in ROOTS:
        sample = build()
        for path, message in _messages(sample, ()):
            stands = message.full_name == case.rule.message and (method, path) != (case.method, case.path)
            if stands and protovalidate.collect_violations(case.broken_at(path, sample)):
                yield method, path


def _messages(message: Message, path: Path) -> Iterator[tuple[Path, Proto]]:
    """All messages inside a message, itself first."""
    yield path, message.DESCRIPTOR
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in value:
                    yield from _messages(value[key], (*path, (field.name, key)))
        elif field.is_repeated:
            for index, item in enumerate(value):
                yield from _messages(item, (*path, (field.name, index)))
        else:
            yield from _messages(value, (*path, (field.name, None)))


CROWD = 40
"""So many right items stand before the broken one, in a list: more than anybody looks at who looks at the first few."""


def _crowd(sample: Proto, broken: Proto) -> bool:
    """Put copies of the right item before the broken one, in the outermost list in which the two differ."""
    for field, value in broken.ListFields():
        right = getattr(sample, field.name)
        if field.message_type is None or field.message_type.GetOptions().map_entry or value == right:
            continue
        if not field.is_repeated:
            return _crowd(right, value)
        if len(right) != len(value):
            return False
        items = [right[0]] * CROWD + list(value)
        broken.ClearField(field.name)
        getattr(broken, field.name).extend(items)
        return True
    return False


def _changed(sample: Message, path: Path, mutation: Mutation) -> Message:
    changed = type(sample)()
    changed.CopyFrom(sample)
    inner: Any = changed
    for name, key in path:
        inner = getattr(inner, name) if key is None else getattr(inner, name)[key]
    mutation(inner)
    return changed


def _find(rule: Rule, method: str, path: Path, sample: Message) -> RuleCase | None:
    for break_it in _breakings(rule):
        violations = protovalidate.collect_violations(_changed(sample, path, break_it))
        if [violation.proto.rule_id for violation in violations] == [rule.rule_id]:
            keep_it = _nearest(rule)
            if protovalidate.collect_violations(_changed(sample, path, keep_it)):
                keep_it = _unchanged
            return RuleCase(rule, method, path, break_it, keep_it)
    return None


def _unchanged(message: Proto) -> None:
    del message


def _breakings(rule: Rule) -> Iterator[Mutation]:
    """Changes of the message that holds the field, some of which may break the rule."""
    # Lengths count characters: too few of four bytes tell a server that counts bytes or halves of UTF-16, too many of
    # which two make one sign a server that counts signs.
    by_name: dict[str, tuple[Any, ...]] = {
        "required": (None,),
        "const": ("wrong",),
        "min_len": (_LARGE * (rule.limit - 1),),
        "max_len": (_combining(rule.limit + 1),),
        "gte": (rule.limit - 1,),
        "pattern": _ODD_TEXTS,
        "defined_only": (99,),
    }
    if rule.name == "cel":
        yield from _inside(rule)
        return
    for value in by_name[rule.name]:
        yield _setter(rule.field, value)


def _nearest(rule: Rule) -> Mutation:
    """The change to the value at the very edge of what the rule allows."""
    # A text of one character would be an id that nothing has: there the sample itself is the nearest.
    if rule.limit > 1 and rule.name == "min_len":
        return _setter(rule.field, _combining(rule.limit))
    if rule.limit > 1 and rule.name == "max_len":
        return _setter(rule.field, _LARGE * rule.limit)
    return _setter(rule.field, rule.limit) if rule.name == "gte" else _unchanged


def _setter(field: str, value: Json) -> Mutation:
    def mutate(message: Proto) -> None:
        if value is None:
            message.ClearField(field)
        else:
            setattr(message, field, value)

    return mutate


def _inside(rule: Rule) -> Iterator[Mutation]:
    """For a rule about a message: changes of the numbers in that message."""

    def mutation(inner_field: str, number: int) -> Mutation:
        def mutate(message: Proto) -> None:
            held = getattr(message, rule.field)
            inner = held[0] if rule.on_items else held
            if inner_field in inner.DESCRIPTOR.fields_by_name:
                setattr(inner, inner_field, number)

        return mutate

    for inner_field in ("owner_scope", "kind", "size"):
        for number in _ODD_NUMBERS:
            yield mutation(inner_field, number)
