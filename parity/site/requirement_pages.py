"""A page for each operation with all that is asked of it: an anchor each, an example, and what servers get wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.catalogue import Requirement, catalogue
from conformance.dictionary import Fault, dictionary
from conformance.evidence import Exchange
from reports.text import document_of

FAULTS_SHOWN = 6
MESSAGE_MAX = 1_500
FOLDER = "requirements"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The exchange that shows a requirement best, with the profile that the reference server was asked in."""

    profile: str
    exchange: Exchange


_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|])")
_CODE = re.compile(r"(`[^`]+`)")


def address(requirement: Requirement) -> str:
    """Return where a requirement is, seen from the other pages of requirements."""
    return f"{document_of(requirement.operation)}.md#{requirement.id}"


def pages(recorded: Mapping[str, Recorded]) -> Iterator[tuple[str, str]]:
    """Yield (file name, Markdown) of each page, the overview first. `recorded` holds examples by requirement id."""
    operations: dict[str, list[Requirement]] = {}
    for row in catalogue().values():
        operations.setdefault(row.operation, []).append(row)
    yield f"{FOLDER}/index.md", "\n".join(_overview(operations)) + "\n"
    faults = _faults_by_requirement()
    for operation, rows in operations.items():
        lines = [f"# {_title(operation)}", ""]
        for row in rows:
            lines += [*_requirement(row, recorded.get(row.id), faults.get(row.id, [])), ""]
        yield f"{FOLDER}/{document_of(operation)}.md", "\n".join(lines) + "\n"


def _title(operation: str) -> str:
    return "Not checked from outside" if operation == "none" else operation


def _overview(operations: Mapping[str, Sequence[Requirement]]) -> Iterator[str]:
    total = sum(len(rows) for rows in operations.values())
    yield from ("# Requirements", "", f"What a server is judged on: {total} sentences, each with a stable id.", "")
    yield from ("| operation | MUST | SHOULD | ids |", "|---|---|---|---|")
    for operation, rows in operations.items():
        musts = sum(row.level == "MUST" for row in rows)
        ids = ", ".join(f"[{row.id}]({address(row)})" for row in rows)
        yield f"| [{_title(operation)}]({document_of(operation)}.md) | {musts} | {len(rows) - musts} | {ids} |"


def _requirement(row: Requirement, recorded: Recorded | None, faults: Sequence[Fault]) -> Iterator[str]:
    yield from (f"## {row.id} {{ #{row.id} }}", "", f"**{worded(row.sentence)}**", "")
    facts = [
        ("level", str(row.level)),
        ("profiles", ", ".join(row.profiles)),
        ("step", row.step),
        ("source", plain(row.source)),
        ("since", row.since),
        ("needs", ", ".join(f"[{name}]({address(catalogue()[name])})" for name in row.needs)),
        ("a choice of the contract; others", plain(row.choice)),
        ("defect of the contract", plain(row.contract_defect)),
        ("not checked, because", plain(row.excluded)),
    ]
    yield from (f"- {name}: {value}" for name, value in facts if value)
    if faults:
        yield from ("", "What servers get wrong:", "")
        yield from (f"- {plain(fault.sentence)} (`{fault.id}`)" for fault in faults[:FAULTS_SHOWN])
        if len(faults) > FAULTS_SHOWN:
            yield f"- and {len(faults) - FAULTS_SHOWN} more in the [kill matrix](../mutants.md)"
    if recorded is not None:
        yield from _example(recorded)


def _example(recorded: Recorded) -> Iterator[str]:
    one = recorded.exchange
    role = f" as `{one.role}`" if one.role else ""
    yield from ("", f'??? example "The reference server, {recorded.profile} profile: {one.code}"', "")
    yield f"    `{one.method}`{role}, answered `{one.code}`{_message(one)}"
    for title, value in (("Request", one.request), ("Response", one.responses[0] if one.responses else None)):
        if value is not None:
            yield from ("", f"    {title}", "", "    ```json")
            yield from (f"    {line}" for line in _json(value).splitlines())
            yield "    ```"


def _message(one: Exchange) -> str:
    return f": {plain(one.message)}" if one.message else ""


def _json(value: object) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= MESSAGE_MAX else f"{text[:MESSAGE_MAX]}\n… ({len(text) - MESSAGE_MAX} more characters)"


def _faults_by_requirement() -> dict[str, list[Fault]]:
    """Return the faults that break each requirement, those first that break least else: they tell most."""
    found: dict[str, list[Fault]] = {}
    for fault in sorted(dictionary(), key=lambda fault: len(fault.fails)):
        for name in fault.fails:
            found.setdefault(name, []).append(fault)
    return found


def plain(text: str) -> str:
    """Return a sentence as Markdown that shows it as it is."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def worded(sentence: str) -> str:
    """Return a sentence of the catalogue as Markdown: what stands between backticks is code, the rest as it is."""
    parts = _CODE.split(" ".join(sentence.split()))
    return "".join(part if number % 2 else _MARKUP.sub(r"\\\1", part) for number, part in enumerate(parts))
