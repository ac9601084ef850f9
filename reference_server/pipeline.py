"""What a pipeline is: named steps in an order, run over one state and one unit of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.trace import Tracer

from reference_server.authorization.requirements import Requirement, requirement_of
from reference_server.call import Profile, State
from reference_server.kinds import ResourceKind
from reference_server.unit_of_work import UnitOfWork

_COMMANDS = "CommandController"
"""How the wire contract's services end whose methods change something."""
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


def run_steps(state: State, work: UnitOfWork) -> State:
    """Run the steps of the state's operation in order. Whatever a step raises ends the operation."""
    tracer = state.rules.tracer
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
