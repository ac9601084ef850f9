"""ContinueAsCreateOrUpdate: an apply is the whole create, or the whole update."""

from __future__ import annotations

from reference_server.pipeline import State, run_steps
from reference_server.steps.heal_default_instance import healing, lacks_default_instance
from reference_server.unit_of_work import UnitOfWork


def continue_as_create_or_update(state: State, work: UnitOfWork) -> State:
    """Run the other operation from its first step, so that it is authorized as what it turns into."""
    verb = "create" if state.existing is None else "update"
    if state.existing is not None:
        state.request.metadata.id = state.existing.id
    target = state.context.operations[state.operation.name.removesuffix("apply") + verb]
    if lacks_default_instance(state, work):
        target = healing(target)
    return run_steps(state._replace(operation=target, resource=None, existing=None), work)
