"""The catalogue of requirements: `requirements/*.toml`, and those made of field constraints and of who may call what.

Each id is stable: verdicts, filters, evidence, known-failing files and reports carry it. The set of one contract
revision is frozen by the hash in `requirements/lock.toml`; `python -m conformance.catalogue` prints the hash of what
stands here.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from itertools import takewhile
from typing import Any

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from conformance.access import ACCESS, RULED, Access, method_id
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
    which this one can't be asked: where one of them fails in the same way, this one is blocked by it. `choice`, where
    not empty, says that the contract marks what it asks for here as a choice of its own, and what others do: another
    choice is a deviation. `contract_defect`, where not empty, says what is wrong with the contract itself where it asks
    for this.
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
    choice: str = ""
    contract_defect: str = ""


@dataclass(frozen=True, slots=True)
class ContractDefect:
    """What is wrong with the contract itself, and the requirements that it makes everybody meet."""

    id: str
    text: str
    requirements: tuple[str, ...]


@cache
def catalogue() -> dict[str, Requirement]:
    """All requirements by id, in the order in which they are judged and shown. Raises CatalogueInvalid."""
    rows: list[Requirement] = [*_generated(), *_written()]
    found: dict[str, Requirement] = {}
    for row in rows:
        if row.id in found:
            raise CatalogueInvalid(f"requirement {row.id} stands twice")
        found[row.id] = row
    for defect in contract_defects():
        for name in defect.requirements:
            if name not in found:
                raise CatalogueInvalid(f"contract_defects.toml: {defect.id}: no requirement {name}")
            found[name] = replace(found[name], contract_defect=defect.text)
    return found


def catalogue_hash() -> str:
    """Return the hash of everything that makes up the requirements of this revision."""
    rows = [
        (
            *(row.id, row.level, row.profiles, row.operation, row.step, row.sentence, row.since),
            *(bool(row.excluded), bool(row.choice)),
        )
        for row in sorted(catalogue().values(), key=lambda row: row.id)
    ]
    return hashlib.sha256(orjson.dumps(rows)).hexdigest()[:16]


def locked_hash() -> str:
    """Return the hash that this revision was frozen with."""
    return str(_document("lock.toml")["revisions"][CONTRACT_REVISION])


def contract_defects() -> tuple[ContractDefect, ...]:
    """Return what is known to be wrong with the contract itself. Raises CatalogueInvalid."""
    try:
        return _DEFECTS.validate_python(_document("contract_defects.toml")["contract_defect"])
    except (KeyError, ValidationError) as error:
        raise CatalogueInvalid(f"contract_defects.toml: {error}") from error


_OTHER_FILES = frozenset({"lock.toml", "contract_defects.toml"})


def _document(name: str) -> dict[str, Any]:
    """Read a file of the folder of requirements. Raises CatalogueInvalid."""
    try:
        return tomllib.loads((files("conformance") / "requirements" / name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogueInvalid(f"conformance/requirements/{name}: {error}") from error


def _written() -> Iterable[Requirement]:
    for file in sorted((files("conformance") / "requirements").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml") and file.name not in _OTHER_FILES:
            document = _document(file.name)
            rows = document.get("requirement")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise CatalogueInvalid(f"conformance/requirements/{file.name}: has no [[requirement]] tables")
            for row in rows:
                yield _requirement(file.name, document, row)


_HEAD = ("operation", "step", "source", "profiles", "level", "needs")
_DEFECTS = TypeAdapter(tuple[ContractDefect, ...], config=ConfigDict(extra="forbid"))
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
        place = f"conformance/requirements/{file}: {row.get('id', 'a requirement without id')}"
        raise CatalogueInvalid(f"{place}: {first_problem(error)}") from error


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
    for access in ACCESS:
        yield from _of_access(access)
    for method in RULED:
        yield _of_rules(method)


def _of_access(row: Access) -> Iterable[Requirement]:
    make = partial(
        Requirement,
        level=Level.MUST,
        profiles=("cloud",),
        operation=row.method,
        source="behaviour contract, AUTH",
        needs=("PERSIST-ALL",),
    )
    step = "Authorize" if row.method == "agent.create" else ""
    yield make(
        id=row.credentials_id,
        step=step,
        sentence=f"{row.method} is answered UNAUTHENTICATED without credentials, and with any token that isn't a known"
        " one byte for byte.",
    )
    if row.may:
        may, may_not = (", ".join(roles) for roles in (row.may, row.may_not))
        yield make(
            id=row.permission_id,
            step=step,
            sentence=f"{row.method} is for {may}; {may_not} are refused, and nothing changes.",
        )


def _of_rules(method: str) -> Requirement:
    return Requirement(
        id=f"RULES-{method_id(method)}",
        level=Level.MUST,
        profiles=("cloud",) if method.startswith("policy.") else PROFILES,
        operation=method,
        step="ValidateFieldConstraints" if method == "agent.create" else "",
        sentence=f"{method} evaluates the field constraints: a request that breaks one is answered INVALID_ARGUMENT.",
        source="behaviour contract, sections 1 and 2",
    )


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


def main() -> int:
    """Print the line for the lock file. Returns 1, with a sentence, where the catalogue is malformed."""
    try:
        print(f'"{CONTRACT_REVISION}" = "{catalogue_hash()}"')  # noqa: T201 - asked for on the command line
    except CatalogueInvalid as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command line prints
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
