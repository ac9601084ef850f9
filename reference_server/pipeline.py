"""What a pipeline is: named steps in an order, run over one state and one unit of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, slots=True)
class NestedPipeline:
    """The function of a step that runs another operation's steps in the same unit of work."""

    begin: Callable[[State], State]
    """Returns the state with which the other operation's pipeline begins."""

    def __call__(self, state: State, work: UnitOfWork) -> State:
        """Run the other operation's steps; the state goes on as it was."""
        run_steps(self.begin(state), work)
        return state


@dataclass(slots=True)
class Run:
    """One request on its way through its steps beside others."""

    state: State
    work: UnitOfWork
    failure: Exception | None = None
    """What a step raised: it ended this run, and no other."""

    def taken_failure(self) -> Exception | None:
        """Return the failure and let go of it: its traceback leads back to the runs, and would keep all of them."""
        failure, self.failure = self.failure, None
        return failure


def run_together(runs: Sequence[Run]) -> None:
    """Run the steps of several requests of one operation: each step for all of them, then the next. Without spans.

    What each comes to is what `run_steps` makes of it, as every run has a unit of work of its own; but a step's code
    stays in the processor's caches while it is used.
    """
    for each in runs[0].state.operation.steps if runs else ():
        if isinstance(each.run, NestedPipeline):
            _run_nested(each.run, runs)
        else:
            advance(each.run, runs)
        if any(run.failure for run in runs):
            runs = [run for run in runs if run.failure is None]


def advance(function: StepFunction, runs: Sequence[Run]) -> None:
    """Apply a function to each run; what it raises ends that run only."""
    for run in runs:
        try:
            run.state = function(run.state, run.work)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this caller's alone
            run.failure = error


def _run_nested(nested: NestedPipeline, runs: Sequence[Run]) -> None:
    within = [Run(run.state, run.work) for run in runs]
    advance(lambda state, _: nested.begin(state), within)
    run_together([each for each in within if each.failure is None])
    for run, each in zip(runs, within, strict=True):
        run.failure = each.taken_failure()
