"""What is only there to be fast. Each file is one fast path and can be deleted alone; `fast_paths` switches all.

A fast path states no rule of its own: it stands for a plain part of the server, and whatever isn't plainly its case
it leaves to that part.

**What is remembered, and what that assumes.** `get` keeps answers and `decisions` keeps decisions that were yes. Both
assume that this process is the only writer of the store: they hear of every write of their own server, from the write
queue, and of no other. Where the store has `shared_writers`, or decisions wait for somebody outside, decisions aren't
remembered, and `get` keeps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

from reference_server.pipeline import Operation, ServerContext, StepFunction
from stores.contract import Store

LAYERS = ("decisions", "get", "validation", "templates")
"""Each is a module here with `install(context, store)`, which returns the context with its fast path in it. `get`
decides with the help of `decisions`, and stands for the plain steps, so it comes before other functions take their
places."""


def with_fast_paths(context: ServerContext, store: Store) -> ServerContext:
    """Return the context with all fast paths that are there."""
    remembers = not (store.capabilities.shared_writers or context.authorizer.waits)
    for name in LAYERS if remembers else LAYERS[1:]:
        module = f"{__name__}.{name}"
        if find_spec(module) is not None:
            context = import_module(module).install(context, store)
    return context


def with_steps(context: ServerContext, instead: Mapping[StepFunction, StepFunction]) -> ServerContext:
    """Return the context with other functions for some of its steps, wherever they stand. Names and order stay."""

    def changed(operation: Operation) -> Operation:
        steps = (replace(step, run=instead.get(step.run, step.run)) for step in operation.steps)
        return replace(operation, steps=tuple(steps))

    return replace(context, operations={name: changed(each) for name, each in context.operations.items()})
