"""After the last check: is anything of the run still there? Each id that the run made is asked for by get.

Which ids these are is known from the evidence, not from what deletes answered: a server may say OK and delete nothing,
and it makes resources of its own (default instances). What is still there, and surely the run's, is deleted once more;
what stays is named with the way to remove it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

from ulid_transform import ulid_now

from conformance.evidence import Evidence, Json, value_at
from conformance.kinds import KINDS
from conformance.line import insist
from conformance.methods import METHODS, Proto
from conformance.protoset import PROTOSET_FILE
from conformance.run_context import RunContext
from conformance.session import Session
from conformance.target_client import Part, Response
from conformance.transcript import ELSEWHERE, grpcurl_command

AT_A_TIME = 32
ASKED_MAX = 20_000
"""A run makes some thousand resources; where it makes more than this, the rest isn't asked for, and that is said."""

Id = tuple[str, str]
"""A kind's short name, and a resource's id."""

_SHOW_ONE = frozenset(
    f"{kind}.{operation}" for kind in KINDS for operation in ("create", "apply", "update", "get", "by_reference")
)


def ids_in(evidence: Evidence) -> Iterator[Id]:
    """Yield the ids of all resources that a check made or was shown as its own: of requests and of answers."""
    for exchange in evidence.exchanges:
        kind, _, operation = exchange.step.partition(".")
        if exchange.step in _SHOW_ONE:
            if operation in {"create", "apply"} and (given := value_at(exchange.request, "metadata.id")):
                yield kind, given
            for response in exchange.responses:
                yield from _ids_of(kind, response)
        elif exchange.step == "instance.by_agent":
            for row in exchange.value("items", []):
                yield from _ids_of("instance", row)


def _ids_of(kind: str, resource: Json) -> Iterator[Id]:
    for of, path in ((kind, "metadata.id"), ("instance", "status.default_instance_id")):
        if found := value_at(resource, path):
            yield of, found


@dataclass(frozen=True)
class _Look:
    """One look for what is left: who looks, and by what the run's own is known."""

    session: Session
    made: Mapping[Id, str]
    """By id, the check that made it."""

    @property
    def context(self) -> RunContext:
        return self.session.context

    def all_of(self, operation: str, ids: Iterable[Id]) -> Iterator[tuple[Id, Response]]:
        """Call get or delete for each id, some at a time."""
        client, role = self.session.client, "operator" if "operator" in self.context.roles else None
        metadata = self.session.metadata(role)
        rest = iter(ids)
        while batch := list(islice(rest, AT_A_TIME)):
            pending = []
            for kind, resource_id in batch:
                method = METHODS[f"{kind}.{operation}"]
                field = KINDS[kind].delete_field if operation == "delete" else "value"
                part = Part(self.session.check, operation, role or "")
                request = method.request(**{field: resource_id})
                again = partial(client.call, part, method, request, metadata)
                pending.append(((kind, resource_id), client.begin(part, method, request, metadata), again))
            answers = [(one, call.finish(), again) for one, call, again in pending]
            yield from [(one, insist(again) if answer.exchange.lost else answer) for one, answer, again in answers]

    def is_own(self, resource: Proto, one: Id) -> bool:
        """Whether a resource that was found is surely one that the run made: nothing else is ever deleted."""
        metadata, context = resource.metadata, self.context
        named = context.run_id in metadata.name or context.run_id in metadata.slug
        in_own = metadata.org in context.own_orgs
        of_own = one[0] == "instance" and ("agent", resource.spec.agent_id) in self.made
        return metadata.id == one[1] and (named or in_own or of_own)


def remove_leftovers(session: Session, made: Mapping[Id, str], refused: Mapping[Id, str]) -> list[str]:
    """Ask for every id, delete what is still there, and say what stays and how to remove it.

    Args:
        session: what calls and knows the run.
        made: the check by each id that the run made, from the evidence.
        refused: what a delete answered by id, where it was refused.

    Raises:
        TargetLost: nothing answers any more.
    """
    if not made:
        return []
    look = _Look(session, made)
    asked = list(made)[:ASKED_MAX]
    absent = {kind: code for (kind, _), code in _codes(look, ((kind, _unused(kind)) for kind in KINDS))}
    there, unclear = list[Id](), dict[Id, str]()
    for one, answer in look.all_of("get", asked):
        code = answer.exchange.code
        if answer.ok and look.is_own(answer.message, one):
            there.append(one)
        elif one in refused and code not in {absent[one[0]], "NOT_FOUND"}:
            unclear[one] = code
    deleted = dict(_codes(look, there, "delete"))
    left = [one for one, code in _codes(look, there) if code == "OK"]
    found = [_told(look, one, f"delete answered {deleted[one]}") for one in left]
    found += [_told(look, one, f"delete answered {refused[one]}, get {code}") for one, code in unclear.items()]
    if len(made) > len(asked):
        found.append(f"{len(made) - len(asked)} more resources of the run were not asked for")
    return found


def _codes(look: _Look, ids: Iterable[Id], operation: str = "get") -> Iterator[tuple[Id, str]]:
    return ((one, answer.exchange.code) for one, answer in look.all_of(operation, ids))


def _unused(kind: str) -> str:
    return f"{KINDS[kind].id_prefix}-{ulid_now().lower()}"


def _told(look: _Look, one: Id, why: str) -> str:
    kind, resource_id = one
    role = "operator" if "operator" in look.context.roles else look.context.caller
    method, running = METHODS[f"{kind}.delete"], look.session.client.running
    where = ELSEWHERE if running.process is not None else running.address.grpcurl  # its port ends with the run
    protoset = "" if look.session.offers("reflection") else PROTOSET_FILE
    command = grpcurl_command(method.path, {KINDS[kind].delete_field: resource_id}, where, role, protoset)
    return f"{kind} {resource_id} of {look.made[one]} ({why}); remove it: {command}"
