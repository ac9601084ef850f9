"""`parity requirements`: the catalogue, chosen by step, operation, level and profile; one of them with an example."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from conformance.catalogue import Requirement, catalogue, contract_defects
from conformance.run_context import PROFILES
from conformance.verdict import CREATE_STEPS, Level
from parity.example import Example, example_of
from parity.problems import Problem
from terminal.form import Form
from terminal.lines import width, wrapped

_WILD = frozenset("*?[")


def requirements(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Ids or patterns, such as 'DUP-*'.")
    ] = None,
    step: Annotated[str, typer.Option(help="Only of this create step, such as CheckDuplicate.")] = "",
    operation: Annotated[str, typer.Option(help="Only of this operation, such as agent.create.")] = "",
    level: Annotated[str, typer.Option(help="MUST or SHOULD.")] = "",
    profile: Annotated[str, typer.Option(help="Only those of this profile: cloud or oss.")] = "",
    output: Annotated[Form, typer.Option("--output", "-o", help="text, or json for programs.")] = Form.TEXT,
    example: Annotated[
        bool, typer.Option("--example/--no-example", help="For one id: show how the reference server meets it.")
    ] = True,
) -> None:
    """Name the requirements that a server is judged on. One id alone is shown whole, with an example."""
    rows = chosen(ids or (), step=step, operation=operation, level=level, profile=profile)
    single = rows[0] if ids is not None and len(ids) == 1 and not _WILD & set(ids[0]) else None
    shown = None if single is None or not example or single.excluded else example_of(single, profile)
    if output is Form.JSON:
        found = [as_json(row, None if shown is None else shown) for row in rows]
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    lines = _listed(rows) if single is None else _whole(single, shown)
    for line in lines:
        typer.echo(line)


def chosen(ids: Sequence[str], *, step: str, operation: str, level: str, profile: str) -> list[Requirement]:
    """Return the requirements that fit everything given, in catalogue order. Raises Problem that says what there is."""
    everything = list(catalogue().values())
    steps = [name for name in CREATE_STEPS if any(row.step == name for row in everything)]
    steps += sorted({row.step for row in everything if row.step} - set(steps))
    _known("--step", step, steps)
    _known("--operation", operation, sorted({row.operation for row in everything if row.operation}))
    _known("--level", level, list(Level))
    _known("--profile", profile, list(PROFILES))
    for pattern in ids:
        if not any(fnmatch.fnmatchcase(row.id, pattern) for row in everything):
            near = [row.id for row in everything if row.id.startswith(pattern.partition("-")[0])]
            hint = f"There are: {', '.join(near)}." if near else "`parity requirements` names them all."
            raise Problem(f"there is no requirement {pattern!r}", hint=hint)
    found = [
        row
        for row in everything
        if (not ids or any(fnmatch.fnmatchcase(row.id, pattern) for pattern in ids))
        and step in {"", row.step}
        and operation in {"", row.operation}
        and level in {"", row.level}
        and (not profile or profile in row.profiles)
    ]
    if not found:
        raise Problem("no requirement fits all that was given", hint="Leave one of the options out.")
    return found


def _known(option: str, given: str, there: Sequence[str]) -> None:
    if given and given not in there:
        raise Problem(f"{option} {given}: there is none", hint=f"There are: {', '.join(there)}.")


def as_json(row: Requirement, example: Example | None) -> dict[str, Any]:
    """Return a requirement for programs; docs/guides/output.md names the fields."""
    found = asdict(row)
    return found if example is None else {**found, "example": [asdict(one) for one in example.exchanges]}


def _listed(rows: Sequence[Requirement]) -> Iterator[str]:
    columns = width()
    for row in rows:
        head = f"{row.id} {row.level} [{','.join(row.profiles)}]"
        notes = [f"a choice of the contract; {row.choice}"] * bool(row.choice)
        notes += [f"excluded: {row.excluded}"] * bool(row.excluded)
        text = " ".join([row.sentence, *(f"({note})" for note in notes)])
        if columns is None:
            yield f"{head} {text}"
        else:
            yield from wrapped(head, columns)
            yield from wrapped(text, columns, "  ")
    ids = {row.id for row in rows}
    for defect in contract_defects():
        if ids & set(defect.requirements):
            told = f"contract defect: {defect.text} (asked for by {', '.join(defect.requirements)})"
            yield from wrapped(told, columns)


def _whole(row: Requirement, example: Example | None) -> Iterator[str]:
    columns = width()
    yield row.id
    yield from wrapped(row.sentence, columns, "  ")
    facts = (
        ("level", row.level),
        ("profiles", ", ".join(row.profiles)),
        ("operation", row.operation),
        ("step", row.step),
        ("source", row.source),
        ("since", row.since),
        ("needs", ", ".join(row.needs)),
        ("a choice of the contract", row.choice),
        ("defect of the contract", row.contract_defect),
        ("excluded", row.excluded),
    )
    for name, value in facts:
        if value:
            yield from wrapped(f"{name}: {value}", columns, "  ")
    if example is not None:
        yield ""
        yield from example.lines(columns)
