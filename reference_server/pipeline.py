"""What a pipeline is: named steps in an order, run over one state and one unit of work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span, StatusCode, Tracer, set_span_in_context

from protos.kinds import ResourceKind
from reference_server.authorization.authorizer import Authorizer
from reference_server.authorization.model import SYSTEM, Caller
from reference_server.authorization.requirements import Requirement, requirement_of
from reference_server.clock import Clock
from reference_server.profile import Profile
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Batch, Record

_COMMANDS = "CommandController"
"""How the wire contract's services end whose methods change something."""


class State(NamedTuple):
    """What one step hands to the next.

    `request` is the message as it came and belongs to the pipeline. `caller` is None in the cloud profile when the
    request came without credentials that anybody knows. `resource` is the new state of what the operation is about
    (for reads and deletes: the stored one), `existing` the stored record that the operation starts from, `candidates`
    what a reference may mean. `response` is a message, or the stored wire bytes where they can go out as they are.
    """

    context: ServerContext
    operation: Operation
    request: Any
    caller: Caller | None
    unchanged_since: str = ""
    """The change (`protos.conditions`) after which the request may find no other; empty: any may have been."""
    resource: Any = None
    id_is_chosen: bool = False
    """The client chose the id of the new resource."""
    existing: Record | None = None
    candidates: tuple[Record, ...] = ()
    response: Message | bytes | None = None

    def with_resource(self, resource: Any) -> State:  # noqa: ANN401 - a message of the operation's kind
        """Return the state with another resource. `_replace` takes twice as long, and most steps end with one."""
        return State(*self[:5], resource, *self[6:])

    def with_response(self, response: Message | bytes) -> State:
        """Return the state with an answer."""
        return State(*self[:9], response)

    @property
    def actor(self) -> Caller:
        """The caller, once Authorize has let it pass; the system where nobody is asked."""
        return self.caller or SYSTEM


StepFunction = Callable[[State, UnitOfWork], State]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its exact name (also that of its trace span) and its function."""

    name: str
    run: StepFunction
    profiles: frozenset[Profile] = frozenset(Profile)


def step(function: StepFunction, name: str = "", *, only: Profile | None = None) -> Step:
    """Make a step of a function; the name is that of the function in capitals unless one is given."""
    name = name or "".join(word.capitalize() for word in function.__name__.split("_"))
    return Step(name, function, frozenset(Profile) if only is None else frozenset({only}))


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on one kind: its name (also that of its parent span), its method, its steps in order."""

    name: str
    kind: ResourceKind
    method: MethodDescriptor
    steps: tuple[Step, ...]
    request_type: type[Message]
    response_type: type[Message]
    requirement: Requirement | None = None
    profiles: frozenset[Profile] = frozenset(Profile)
    writes: bool = False
    """It is one of a command controller's; what query controllers offer only reads."""

    def for_profile(self, profile: Profile) -> Operation:
        """Return the operation with the steps that the profile has."""
        return replace(self, steps=tuple(step for step in self.steps if profile in step.profiles))


def operation(
    name: str, kind: ResourceKind, method: MethodDescriptor, steps: tuple[Step, ...], *, only: Profile | None = None
) -> Operation:
    """Make an operation; what it requires of callers is read from the method's options."""
    profiles = frozenset(Profile) if only is None else frozenset({only})
    request_type, response_type = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    requirement, writes = requirement_of(method), method.containing_service.name.endswith(_COMMANDS)
    return Operation(name, kind, method, steps, request_type, response_type, requirement, profiles, writes)


EarlyAnswer = Callable[[bytes, Caller | None], bytes | None]
"""From a request's bytes and its caller to the response's bytes; None: ask the pipeline."""


class WriteObserver(Protocol):
    """Who has to know of batches that change or remove what is stored."""

    def writing(self, batch: Batch) -> None:
        """Hear that a batch may take effect from now on."""
        ...

    def written(self, batch: Batch) -> None:
        """Hear that it has, or has failed. Called once for each `writing`."""
        ...

    def reopening(self) -> None:
        """Hear that the store may be opened again, and then hold what failed writes left behind."""
        ...

    def reopened(self) -> None:
        """Hear that this is over. Called once for each `reopening`."""
        ...


@dataclass(frozen=True, slots=True)
class ServerContext:
    """What is the same for every request of a server."""

    profile: Profile
    operations: Mapping[str, Operation]
    """By name, for example `agent-create`; with the steps that the profile has."""
    clock: Clock
    authorizer: Authorizer
    tracer: Tracer | None = None
    """Makes a span for each operation and step; None (the default) costs nothing."""
    early_answers: Mapping[str, EarlyAnswer] = field(default_factory=dict)
    """By operation: what may answer a request before the pipeline is asked. Empty without fast paths."""
    observers: tuple[WriteObserver, ...] = ()


def run_steps(state: State, work: UnitOfWork) -> State:
    """Run the steps of the state's operation in order. Whatever a step raises ends the operation."""
    tracer = state.context.tracer
    if tracer is not None:
        return _run_traced(tracer, state, work)
    for each in state.operation.steps:
        state = each.run(state, work)
    return state


def _run_traced(tracer: Tracer, state: State, work: UnitOfWork) -> State:
    """The same with one span for the operation and one child span per step, by their exact names."""
    with tracer.start_as_current_span(state.operation.name):
        for each in state.operation.steps:
            with tracer.start_as_current_span(each.name):
                state = each.run(state, work)
    return state


class OperationSpan:
    """The span of one operation, whose steps may be run in turns with those of others."""

    def __init__(self, tracer: Tracer, operation: str, trace: Context) -> None:
        """`trace` is that of the caller, above the span."""
        self._tracer = tracer
        self._span = tracer.start_span(operation, trace)
        self._trace = set_span_in_context(self._span, trace)

    def step(self, name: str) -> AbstractContextManager[Span]:
        """Record a step's span around a block. What the block raises is recorded too."""
        return self._tracer.start_as_current_span(name, self._trace)

    def end(self, failure: Exception | None) -> None:
        """End the span, with what ended the operation."""
        if failure is not None:
            self._span.record_exception(failure)
            self._span.set_status(StatusCode.ERROR, f"{type(failure).__name__}: {failure}")
        self._span.end()


def record_spans(context: ServerContext, operation: Operation) -> None:
    """Record the spans of an operation and its steps, for which something else stands."""
    if context.tracer is not None:
        span = OperationSpan(context.tracer, operation.name, get_current())
        for each in operation.steps:
            with span.step(each.name):
                pass
        span.end(None)
