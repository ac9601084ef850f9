"""Ways to spoil a pipeline: each takes the operations and returns them with one sin in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from reference_server.errors import ApiError
from reference_server.pipeline import Operation, State, Step, StepFunction
from reference_server.unit_of_work import UnitOfWork
from stores.contract import BatchOperation, Conflict, Put

Operations = Mapping[str, Operation]
Change = Callable[[Operations], Operations]
Run = Callable[[State, UnitOfWork], State]
Wrapper = Callable[[Run], Run]
Steps = tuple[Step, ...]

KINDS = ("agent", "agent-instance", "environment")


def steps_of(name: str, change: Callable[[Steps], Steps]) -> Change:
    """Change the steps of one operation."""

    def apply(operations: Operations) -> Operations:
        return {**operations, name: replace(operations[name], steps=change(operations[name].steps))}

    return apply


def everywhere(verb: str, make: Callable[[str], Change]) -> Change:
    """The same change to this operation of every kind."""
    return together(*(make(f"{kind}-{verb}") for kind in KINDS))


def together(*changes: Change) -> Change:
    """Several changes that make one sin."""

    def apply(operations: Operations) -> Operations:
        for change in changes:
            operations = change(operations)
        return operations

    return apply


def _index(steps: Steps, name: str) -> int:
    names = [step.name for step in steps]
    return names.index(name)  # a name that isn't there is a mistake of the mutant


def renamed(operation: str, name: str) -> Change:
    """Give an operation another name."""
    return lambda operations: {**operations, operation: replace(operations[operation], name=name)}


def step_renamed(operation: str, step: str, name: str) -> Change:
    """Give a step another name."""

    def change(steps: Steps) -> Steps:
        return tuple(replace(one, name=name) if one.name == step else one for one in steps)

    return steps_of(operation, change)


def omit(operation: str, name: str) -> Change:
    """Leave a step out."""
    return steps_of(operation, lambda steps: tuple(step for i, step in enumerate(steps) if i != _index(steps, name)))


def repeat(operation: str, name: str) -> Change:
    """Run a step twice."""

    def change(steps: Steps) -> Steps:
        at = _index(steps, name)
        return (*steps[: at + 1], *steps[at:])

    return steps_of(operation, change)


def swap(operation: str, name: str) -> Change:
    """Run a step after the one that follows it."""

    def change(steps: Steps) -> Steps:
        at = _index(steps, name)
        return (*steps[:at], steps[at + 1], steps[at], *steps[at + 2 :])

    return steps_of(operation, change)


def move(operation: str, name: str, *, before: str) -> Change:
    """Run a step right before another."""

    def change(steps: Steps) -> Steps:
        moved = steps[_index(steps, name)]
        rest = tuple(step for step in steps if step is not moved)
        at = _index(rest, before)
        return (*rest[:at], moved, *rest[at:])

    return steps_of(operation, change)


def wrap(operation: str, name: str, wrapper: Wrapper) -> Change:
    """Put something around a step."""

    def change(steps: Steps) -> Steps:
        at = _index(steps, name)
        return (*steps[:at], replace(steps[at], run=wrapper(steps[at].run)), *steps[at + 1 :])

    return steps_of(operation, change)


def instead(operation: str, name: str, function: StepFunction) -> Change:
    """Do something else in a step's place."""
    return wrap(operation, name, lambda _: function)


def first(operation: str, name: str, function: Callable[[State, UnitOfWork], Any]) -> Change:
    """Do something before a step; what the function returns counts for nothing."""

    def wrapper(run: Run) -> Run:
        def both(state: State, work: UnitOfWork) -> State:
            function(state, work)
            return run(state, work)

        return both

    return wrap(operation, name, wrapper)


def then(operation: str, name: str, function: Callable[[State, UnitOfWork], State | None]) -> Change:
    """Do something after a step; a state that the function returns is handed on."""

    def wrapper(run: Run) -> Run:
        def both(state: State, work: UnitOfWork) -> State:
            done = run(state, work)
            return function(done, work) or done

        return both

    return wrap(operation, name, wrapper)


def answering(error: Callable[[ApiError], ApiError], *, only: type[ApiError] = ApiError) -> Wrapper:
    """Refuse as before, with another error."""

    def wrapper(run: Run) -> Run:
        def other(state: State, work: UnitOfWork) -> State:
            try:
                return run(state, work)
            except only as refused:
                raise error(refused) from None

        return other

    return wrapper


def swallow(run: Run) -> Run:
    """Go on as if a step hadn't refused."""

    def deaf(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except ApiError:
            return state

    return deaf


def leaking(effect: Callable[[State, UnitOfWork], None]) -> Wrapper:
    """Leave something behind when a step refuses: what a server does that has its effects before its checks."""

    def wrapper(run: Run) -> Run:
        def leaky(state: State, work: UnitOfWork) -> State:
            try:
                return run(state, work)
            except ApiError:
                effect(state, work)
                raise

        return leaky

    return wrapper


def store_now(state: State, work: UnitOfWork) -> None:
    """Write the request's resource past the unit of work, if it has an id to be found under."""
    resource = state.resource if state.resource is not None else state.request
    if resource.metadata.id and work.data(state.operation.kind.name, resource.metadata.id) is None:
        put = Put(state.operation.kind.name, resource.metadata.id, resource)
        with suppress(Conflict):  # a slug that is taken: then there is nothing to leave behind
            commit_at_once(state, work, [put])


def commit_at_once(state: State, work: UnitOfWork, batch: Sequence[BatchOperation]) -> None:
    """Commit before the request has come to its end, as a server does that writes before it has checked.

    It goes the way of every commit: what the server remembers hears of it. Raises what `Store.commit` raises.
    """
    for each in state.context.observers:
        each.writing(batch)
    try:
        work._store.commit(batch)
    finally:
        for each in state.context.observers:
            each.written(batch)


def commit_now(state: State, work: UnitOfWork) -> None:
    """Commit what is staged so far: from here on nothing can be undone."""
    commit_at_once(state, work, work.batch())
    work._puts = {key: put._replace(precondition="any") for key, put in work._puts.items()}
