"""The catalogue of requirements: `requirements/*.toml`, and one generated requirement per field constraint.

Each id is stable: verdicts, filters, evidence, known-failing files and reports carry it. The set of one contract
revision is frozen by the hash in `requirements/lock.toml`; `python -m conformance.catalogue` prints the hash of what
stands here.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import takewhile
from typing import Any

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from conformance.constraints import RULES, RuleCase, cases
from conformance.run_context import PROFILES
from conformance.toml_file import first_problem
from conformance.verdict import Level

CONTRACT_REVISION = "2026-01-26"
"""The date of the wire contract that this catalogue speaks of."""


class CatalogueInvalid(Exception):
    """A requirement file is malformed: a fault of the suite, found by its tests."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of the contract that a server keeps or doesn't.

    `excluded`, where not empty, says why no check can be made from outside. `needs` names the requirements without
    which this one can't be asked: where one of them fails in the same way, this one is blocked by it.
    """

    id: str
    level: Level
    profiles: tuple[str, ...]
    operation: str
    step: str
    sentence: str
    source: str
    since: str = CONTRACT_REVISION
    excluded: str = ""
    needs: tuple[str, ...] = ()


@cache
def catalogue() -> dict[str, Requirement]:
    """All requirements by id, in the order in which they are judged and shown. Raises CatalogueInvalid."""
    rows: list[Requirement] = [*_generated(), *_written()]
    found: dict[str, Requirement] = {}
    for row in rows:
        if row.id in found:
            raise CatalogueInvalid(f"requirement {row.id} stands twice")
        found[row.id] = row
    return found


def catalogue_hash() -> str:
    """Return the hash of everything that makes up the requirements of this revision."""
    rows = [
        (row.id, row.level, row.profiles, row.operation, row.step, row.sentence, row.since, bool(row.excluded))
        for row in sorted(catalogue().values(), key=lambda row: row.id)
    ]
    return hashlib.sha256(orjson.dumps(rows)).hexdigest()[:16]


def locked_hash() -> str:
    """Return the hash that this revision was frozen with."""
    document = tomllib.loads((files("conformance") / "requirements" / "lock.toml").read_text(encoding="utf-8"))
    return str(document["revisions"][CONTRACT_REVISION])


def _written() -> Iterable[Requirement]:
    folder = files("conformance") / "requirements"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml") and file.name != "lock.toml":
            document = tomllib.loads(file.read_text(encoding="utf-8"))
            for row in document["requirement"]:
                yield _requirement(file.name, document, row)


_HEAD = ("operation", "step", "source", "profiles", "level", "needs")
_ROW = TypeAdapter(with_config(ConfigDict(extra="forbid"))(Requirement))


def _requirement(file: str, document: dict[str, Any], row: dict[str, Any]) -> Requirement:
    """A row takes from its file's head what it doesn't say itself.

    Needs in a head are in order: a row that is named among them needs only those before it.
    """
    head: dict[str, Any] = {name: document[name] for name in _HEAD if name in document}
    head["needs"] = list(takewhile(lambda name: name != row.get("id"), head.get("needs", ())))
    merged: dict[str, Any] = {"step": "", "profiles": list(PROFILES), "level": "MUST", **head, **row}
    try:
        return _ROW.validate_python(merged)
    except ValidationError as error:
        raise CatalogueInvalid(f"{file}: {row.get('id')}: {first_problem(error)}") from error


_NEEDS = {
    "agent.create": ("PERSIST-ALL",),
    "instance.create": ("INS-CREATE",),
    "environment.create": ("ENV-CREATE",),
    "agent.get": ("GET-UNKNOWN",),
    "agent.by_reference": ("REF-UNKNOWN",),
    "instance.by_agent": ("BYA-AGENT",),
    "list.agents": ("LST-ORG",),
    "policy.create": ("IAM-CREATE",),
    "policy.check": ("IAM-CHECK",),
    "policy.get": ("IAM-CREATE",),
}
"""What the generated requirements of a method need."""
_SWEEP_NEEDS = ("GET-UNKNOWN", "REF-FOUND", "REF-UNKNOWN", "BYA-AGENT", "LST-ORG", "IAM-CHECK")
"""What it takes to look for traces."""


def _generated() -> Iterable[Requirement]:
    by_rule = {case.rule.id: case for case in cases()}
    for rule in RULES:
        case = by_rule.get(rule.id)
        yield Requirement(
            id=rule.id,
            level=Level.MUST,
            profiles=_profiles(case),
            operation=case.method if case else "none",
            step=_step(case),
            sentence=f"A request whose {rule.field_name} breaks {rule.text} is answered INVALID_ARGUMENT;"
            " the same request without that fault is accepted.",
            source=f"wire contract, constraint of {rule.field_name}",
            excluded=rule.unreachable if case is None else "",
            needs=_NEEDS.get(case.method, ()) if case else (),
        )
        if case is not None and case.leaves_trace:
            yield _no_trace(case)


def _no_trace(case: RuleCase) -> Requirement:
    return Requirement(
        id=f"ATOM-{case.rule.id}",
        level=Level.MUST,
        profiles=_profiles(case),
        operation=case.method,
        step=_step(case),
        sentence=f"A request that was refused because its {case.rule.field_name} breaks {case.rule.text}"
        " leaves no trace.",
        source="behaviour contract, ORD-ATOM",
        needs=(*_NEEDS.get(case.method, ()), *_SWEEP_NEEDS),
    )


def _profiles(case: RuleCase | None) -> tuple[str, ...]:
    return ("cloud",) if case is not None and case.method.startswith("policy.") else PROFILES


def _step(case: RuleCase | None) -> str:
    return "ValidateFieldConstraints" if case is not None and case.method == "agent.create" else ""


if __name__ == "__main__":
    print(f'"{CONTRACT_REVISION}" = "{catalogue_hash()}"')  # noqa: T201 - asked for on the command line
