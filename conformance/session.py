"""What an exercise holds in its hands: calls as a role, unique names, facts for the judge, and cleanup afterwards."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import protovalidate
from google.protobuf.message import Message
from ulid_transform import ulid_now

from conformance import samples
from conformance.evidence import Evidence, Exchange, Json
from conformance.kinds import KINDS
from conformance.line import ATTEMPTS_MAX, READS
from conformance.made import CREATES, Made
from conformance.methods import METHODS, Method, Proto, deletion
from conformance.run_context import RunContext
from conformance.target import Running
from conformance.target_client import Call, Metadata, Part, PendingCall, Response, TargetClient
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

_SHOWS = (
    CREATES
    | {"policy.create"}
    | {f"{kind}.{operation}" for kind in KINDS for operation in ("update", "get", "by_reference")}
)
NAMES_PER_ATTEMPT = 1000
AT_A_TIME = 16
"""Calls that are under way at once where there are many: enough to overlap, few enough for one connection."""
_NAMES, _SCATTER = 36**3, 28835
"""As many as three digits of base 36 can tell apart. The factor shares no divisor with it and is near the golden
section (Knuth's multiplicative hashing): each name of a check is met once, far from its neighbours."""


class SetupRefused(Exception):
    """A precondition of the check could not be brought about, so the requirement can't be tested."""


class HarnessFault(Exception):
    """The suite made a request that isn't what it meant: nobody else is to blame."""


def _without_id_is_a_fault(answer: Response, method: Method) -> Response:
    """An OK that shows a resource without an id shows none, and nothing can be asked about it afterwards."""
    if not answer.ok or method.name not in _SHOWS or answer.message.metadata.id:
        return answer
    fault = f"the answer is no whole {method.response.DESCRIPTOR.name}: it has no metadata.id"
    return Response(replace(answer.exchange, fault=fault))


@dataclass
class Session:
    """One check's view of the run. Not shared between threads."""

    check: str
    client: TargetClient
    context: RunContext
    attempt: int = 0
    """How often the check was begun before; each time it uses other names."""
    redone: list[Exchange] = field(default_factory=list)
    """Reads that the line lost, and that were made again."""
    _exchanges: list[Exchange] = field(default_factory=list)
    _facts: dict[str, Any] = field(default_factory=dict)
    made: Made = field(init=False)
    """What is deleted after the check."""
    _numbers: Any = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1 + self.attempt * NAMES_PER_ATTEMPT)
        self.made = Made(self.check, self.client, self.metadata)
        self.note("profile", self.context.profile)
        self.note("caller", self.context.identity(self.context.caller))

    @property
    def org(self) -> str:
        """The run's first organization; most resources live in it."""
        return self.context.org

    @property
    def other_org(self) -> str:
        """The run's second organization."""
        return self.context.other_org

    @property
    def own_org(self) -> str:
        """An organization of this check alone, and each time another: what a server kept of before isn't in it."""
        return f"{self.org}-{self.check.lower()}" + (f"-{self.attempt}" if self.attempt else "")

    @property
    def cloud(self) -> bool:
        """Whether callers, policies, events and redaction exist."""
        return self.context.cloud

    @property
    def running(self) -> Running:
        """The target itself, for checks that restart it."""
        return self.client.running

    def offers(self, feature: str) -> bool:
        """Whether the target has a feature that not every server has."""
        return self.context.features.get(feature, False)

    def size(self, ordinary: int, quick: int | None = None) -> int:
        """Return how much of something to do: `ordinary`; in a quick run `quick`, or a share of it, never under 2."""
        if quick is not None:
            return quick if self.context.scale < 1 else ordinary
        return max(2, round(ordinary * self.context.scale))

    def name(self) -> str:
        """Return a name that no other check and no other run uses; it is its own slug.

        No four of them, drawn one after another, sort as they were drawn, nor the other way round: a list in order of
        names isn't one of creation.
        """
        drawn = (next(self._numbers) * _SCATTER + self.context.seed) % _NAMES
        return self.context.name(self.check, drawn)

    def new_id(self, kind: str = "agent") -> str:
        """Return an unused id for a resource whose id the client chooses; it is deleted after the check."""
        resource_id = f"{KINDS[kind].id_prefix}-{ulid_now().lower()}"
        self.made.expect(kind, resource_id)
        return resource_id

    def note(self, name: str, value: Json) -> None:
        """Leave a fact for the judge."""
        self._facts[name] = value

    def evidence(self) -> Evidence:
        """Return all that the check left behind so far."""
        ordered = sorted(self._exchanges, key=lambda exchange: exchange.seq)
        return Evidence(self.check, tuple(ordered), dict(self._facts))

    # calls

    def call(
        self,
        label: str,
        method: str,
        request: Message,
        *,
        role: str | None = None,
        valid: bool | None = True,
        keep_wire: bool = False,
        metadata: Metadata | None = None,
    ) -> Response:
        """Make one call and keep it as evidence. A read that the line lost is made again.

        Args:
            label: the part that this exchange plays; judges find it by this.
            method: short name, for example `agent.create`.
            request: the message to send.
            role: who calls; None is the ordinary caller, "anonymous" sends no credentials.
            valid: whether the field constraints accept the request; None where that doesn't matter.
            keep_wire: keep the answer's bytes too.
            metadata: sent instead of the role's credentials.

        Raises:
            HarnessFault: the request isn't valid, or not invalid, as meant.
            TargetLost: nothing answers any more.
        """
        for left in reversed(range(ATTEMPTS_MAX if METHODS[method].operation in READS else 1)):
            pending = self._pending(label, method, request, role, valid, metadata, keep_wire=keep_wire, waits=True)
            answer = self.finish(pending, METHODS[method])
            if not (answer.exchange.lost and left):
                break
            self.redone.append(self._exchanges.pop())
        return answer

    def begin(
        self,
        label: str,
        method: str,
        request: Message,
        *,
        role: str | None = None,
        valid: bool | None = True,
        keep_wire: bool = False,
        metadata: Metadata | None = None,
        deadline_seconds: float | None = None,
    ) -> PendingCall:
        """Start a call; pass what this returns to `finish`. Arguments as for `call`."""
        return self._pending(
            label, method, request, role, valid, metadata, keep_wire=keep_wire, deadline_seconds=deadline_seconds
        )

    def _pending(
        self,
        label: str,
        method: str,
        request: Message,
        role: str | None,
        valid: bool | None,
        metadata: Metadata | None,
        **how: Any,  # noqa: ANN401 - see PendingCall
    ) -> PendingCall:
        self._check_meaning(label, request, valid)
        role = self.context.caller if role is None else role
        self.made.note_request(METHODS[method], request)
        credentials = self._credentials(role) if metadata is None else metadata
        return PendingCall(self.client, Part(self.check, label, role), METHODS[method], request, credentials, **how)

    def finish(self, pending: PendingCall, method: Method) -> Response:
        """Wait for a call that was begun."""
        answer = _without_id_is_a_fault(pending.finish(), method)
        self._exchanges.append(answer.exchange)
        self.made.note_answer(answer, method)
        return answer

    def together(self, calls: Iterable[Call], at_a_time: int = AT_A_TIME) -> list[Response]:
        """Make many calls, never more than `at_a_time` under way; return their answers in the order of the calls."""
        under_way: deque[tuple[Call, PendingCall]] = deque()
        answers: list[Response] = []

        def finish_first() -> None:
            call, pending = under_way.popleft()
            answers.append(self.finish(pending, METHODS[call.method]))

        for call in calls:
            if len(under_way) == at_a_time:
                finish_first()
            under_way.append((call, self._begin_one(call)))
        while under_way:
            finish_first()
        return answers

    def _begin_one(self, call: Call) -> PendingCall:
        return self._pending(
            call.label, call.method, call.request, call.role, None, call.metadata, channel=call.channel
        )

    def need(self, label: str, method: str, request: Message, *, role: str | None = None) -> Proto:
        """Make a call that the check can't do without and return its answer. Raises SetupRefused."""
        answer = self.call(label, method, request, role=role)
        if not answer.ok:
            exchange = answer.exchange
            raise SetupRefused(
                f"precondition: {method} as {exchange.role or 'caller'} answered {exchange.code}"
                f" ({exchange.message or exchange.fault})"
            )
        return answer.message

    def lost_calls(self) -> tuple[Exchange, ...]:
        """Return the calls of which nobody knows what the server did: with them nothing can be judged."""
        return tuple(row for row in self._exchanges if row.lost)

    def record(self, exchange: Exchange) -> None:
        """Keep an exchange that wasn't made by `call` (a stream, raw bytes)."""
        self._exchanges.append(exchange)

    def metadata(self, role: str | None = None) -> Metadata:
        """Return the credentials of a role as call metadata, for calls that aren't made by `call`."""
        return self._credentials(self.context.caller if role is None else role)

    def _credentials(self, role: str) -> Metadata:
        if role not in self.context.roles:
            return ()
        return (("authorization", f"Bearer {self.context.roles[role].token}"),)

    def _check_meaning(self, label: str, request: Message, valid: bool | None) -> None:
        if valid is None:
            return
        violations = protovalidate.collect_violations(request)
        if valid and violations:
            raise HarnessFault(f"{self.check}/{label}: the request should be valid: {violations[0].proto.message}")
        if not valid and not violations:
            raise HarnessFault(f"{self.check}/{label}: the request should break a field constraint and breaks none")

    # what most checks begin with

    def agent(self, **changes: str) -> Agent:
        """Return a valid agent request with a name of its own; `changes` as for `samples.agent`."""
        given = {"name": changes.get("name") or self.name(), "org": self.org, **changes}
        return samples.agent(**given)

    def created_agent(self, label: str = "setup.create", *, role: str | None = None, **changes: str) -> Agent:
        """Create an agent that the check needs. Raises SetupRefused."""
        made: Agent = self.need(label, "agent.create", self.agent(**changes), role=role)
        return made

    def default_instance(self, agent: Agent) -> str:
        """Return the id of an agent's default instance: the one that its status names, else one listed by that name.

        Raises SetupRefused where neither shows one.
        """
        if agent.status.default_instance_id:
            return agent.status.default_instance_id
        listed = self.instances("setup.instances", agent)
        name = f"{agent.metadata.name}-default"
        found = [row.metadata.id for row in (listed.message.items if listed.ok else ()) if row.metadata.name == name]
        if not found:
            raise SetupRefused(
                "precondition: the created agent names no default instance in its status, and getByAgent lists none"
            )
        return str(found[0])

    def instances(self, label: str, agent: Agent, *, role: str | None = None) -> Response:
        """List an agent's instances.

        Where that shows none, and the agent's status names one, that one is got by its id as `label.named`: so that
        only what asks for the list itself fails for a list that doesn't work.
        """
        request = METHODS["instance.by_agent"].request(agent_id=agent.metadata.id)
        listed = self.call(label, "instance.by_agent", request, role=role)
        named = agent.status.default_instance_id
        if named and not (listed.ok and listed.message.items):
            self.read(f"{label}.named", "instance", named, role=role)
        return listed

    def by_id(self, method: str, resource_id: str) -> Proto:
        """Return a request that names a resource by its id."""
        return METHODS[method].request(value=resource_id)

    def read(self, label: str, kind: str, resource_id: str, *, role: str | None = None) -> Response:
        """Get a resource by id."""
        return self.call(label, f"{kind}.get", self.by_id(f"{kind}.get", resource_id), role=role)

    def delete(self, label: str, kind: str, resource_id: str, *, role: str | None = None) -> Response:
        """Delete a resource by id."""
        return self.call(label, f"{kind}.delete", deletion(kind, resource_id), role=role)

    def find(self, label: str, kind: str, slug: str, org: str | None = None, *, role: str | None = None) -> Response:
        """Get a resource by its slug."""
        request = samples.reference(slug, self.org if org is None else org)
        return self.call(label, f"{kind}.by_reference", request, role=role)

    def holds(self, label: str, principal: tuple[str, ...], relation: str, resource: tuple[str, str]) -> Response:
        """Ask the server whether a policy holds."""
        request = METHODS["policy.check"].request(policy=samples.policy(principal, relation, resource))
        return self.call(label, "policy.check", request)

    def grant(self, label: str, principal: tuple[str, ...], relation: str, resource: tuple[str, str]) -> Response:
        """Write a policy; it is removed after the check."""
        request = samples.policy(principal, relation, resource)
        self.made.grants.append(request)
        return self.call(label, "policy.create", request, role="operator")

    def forget_grant_later(self, request: Proto) -> None:
        """Remove a policy after the check that the check itself writes with `call`."""
        self.made.grants.append(request)

    def cleanup(self) -> dict[tuple[str, str], str]:
        """Delete all that the check made; return by kind and id what a refused delete answered."""
        return self.made.remove_all(self.lost_calls())
