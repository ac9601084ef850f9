"""Mutants that are wrong at an edge only: the last of many, an empty text, one id of many. A new one is one row."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import count
from typing import Any

from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork
from tests.mutants import effects as do
from tests.mutants.mutant import CREATE, DEFAULTS, REFERENCE, SLUG, VALIDATE, Mutant
from tests.mutants.wrapping import Run, Wrapper, first, then, wrap


def seeing(change: Callable[[Any], None]) -> Wrapper:
    """A step that sees a changed copy of the request; the others see the request."""

    def wrapper(run: Run) -> Run:
        def seen(state: State, work: UnitOfWork) -> State:
            request = type(state.request)()
            request.CopyFrom(state.request)
            change(request)
            return run(state._replace(request=request), work)._replace(request=state.request)

        return seen

    return wrapper


def first_ten(agent: Any) -> None:
    del agent.spec.skill_refs[10:]


def without_line_ends(agent: Any) -> None:
    for reference in agent.spec.skill_refs:
        reference.version = reference.version.rstrip("\n")


def known_kind(state: State, work: UnitOfWork) -> Any:
    del work
    kinds = state.request.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number
    return None if state.request.kind in kinds else do.put_at("kind", 0)(state.request)


def kelvin_dropped(agent: Any) -> None:
    if "\u212a" in agent.metadata.name:
        agent.metadata.slug = agent.metadata.slug.removeprefix("k")


def without_empty(agent: Any) -> None:
    for name in [name for name, text in agent.metadata.annotations.items() if not text]:
        del agent.metadata.annotations[name]


def cut_long(agent: Any) -> None:
    for name, text in agent.metadata.annotations.items():
        agent.metadata.annotations[name] = text[:32_768]


def composed_keys(agent: Any) -> None:
    data = agent.spec.env_spec.data
    for name in list(data):
        whole = unicodedata.normalize("NFC", name)
        if whole != name:
            data[whole].CopyFrom(data[name])
            del data[name]


def trimmed_tools(agent: Any) -> None:
    for server in agent.spec.mcp_servers:
        tools = [tool.strip() for tool in server.enabled_tools]
        del server.enabled_tools[:]
        server.enabled_tools.extend(tools)


def without_empty_selections(agent: Any) -> None:
    for sub in agent.spec.sub_agents:
        for name in [name for name, chosen in sub.mcp_tool_selections.items() if not chosen.enabled_tools]:
            del sub.mcp_tool_selections[name]


def each_fortieth_id_upper() -> Callable[[Any], None]:
    made = count(1)

    def change(agent: Any) -> None:
        if next(made) % 40 == 0:
            agent.metadata.id = "agt-" + agent.metadata.id.removeprefix("agt-").upper()

    return change


def kept(name: str, sin: str, change: Callable[[Any], None]) -> Mutant:
    """A mutant that keeps something else than what was sent."""
    return Mutant(name, sin, then(CREATE, DEFAULTS, do.changed_resource(change)))


def in_utf16(agent: Any) -> None:
    """Make each text as long as it is in UTF-16."""
    for holder in (agent.spec, *agent.spec.sub_agents):
        text = holder.instructions
        holder.instructions = text + "x" * (len(text.encode("utf-16-le")) // 2 - len(text))


EDGE_SINS: tuple[Mutant, ...] = (
    Mutant(
        "validate-utf16",
        "lengths are counted in UTF-16",
        wrap(CREATE, VALIDATE, seeing(in_utf16)),
        asked=("VAL-AGENTSPEC-*", "VAL-SUBAGENT-*"),
    ),
    Mutant(
        "validate-first-ten", "only the first ten skill_refs are validated", wrap(CREATE, VALIDATE, seeing(first_ten))
    ),
    Mutant(
        "validate-line-end",
        "a line's end behind a version is overlooked",
        wrap(CREATE, VALIDATE, seeing(without_line_ends)),
    ),
    Mutant(
        "reference-kind-unknown",
        "a kind that nobody knows is taken for none",
        first(REFERENCE, "LoadByReference", known_kind),
    ),
    Mutant(
        "slug-drops-before-lowering",
        "characters are dropped before they are made lower-case",
        then(CREATE, SLUG, do.changed_resource(kelvin_dropped)),
    ),
    Mutant(
        "size-limit-decimal",
        "a request may have ten million bytes",
        lambda operations: operations,
        config={"max_message_bytes": 10_000_000},
    ),
    kept("keep-no-empty", "annotations without a text are dropped", without_empty),
    kept("keep-cut", "annotations are cut at 32 Ki characters", cut_long),
    kept("keep-composed-keys", "keys of an environment are composed", composed_keys),
    kept("keep-trimmed-tools", "blanks around the names of tools are dropped", trimmed_tools),
    kept("keep-no-empty-selection", "selections of no tool are dropped", without_empty_selections),
    Mutant(
        "id-upper-at-times",
        "each fortieth id is upper-case",
        then(CREATE, DEFAULTS, do.changed_resource(each_fortieth_id_upper())),
        asked=("DEF-ID-MANY",),
        full=True,
    ),
)
