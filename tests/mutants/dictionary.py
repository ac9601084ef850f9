"""The fault dictionary that the suite ships, made of the kill matrix; `python -m tests.mutants.dictionary` writes it.

The matrix says what each wrong server fails; the dictionary turns that round, so that a failing run can be explained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from conformance.catalogue import catalogue
from conformance.dictionary import DICTIONARY, Fault, dictionary, dictionary_bytes
from reference_server.pipeline import Operation
from reference_server.pipelines import OPERATIONS
from tests.mutants.matrix import expected
from tests.mutants.wrapping import Change
from tests.mutants.wrong_servers import TRACED, mutants, sins
from tests.second_server.defects import PLACES

Kinds = Mapping[str, Mapping[str, Sequence[str]]]
"""By wrong server and requirement, how it fails."""


def faults_of(stored: Mapping[str, Sequence[str]], kinds: Kinds | None = None) -> tuple[Fault, ...]:
    """Return one fault for each wrong server of the matrix, in its order.

    `kinds` holds how the servers fail that were judged just now; of the others, what the dictionary has is kept.
    """
    how: Kinds = {**{fault.id: fault.kinds for fault in dictionary()}, **(kinds or {})}
    return tuple(
        Fault(
            name, sin, where(name, stored[name]), profile, tuple(stored[name]), _told(how.get(name, {}), stored[name])
        )
        for name, (sin, profile) in sins().items()
        if name in stored
    )


def _told(kinds: Mapping[str, Sequence[str]], failing: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(kinds[name]) for name in failing if name in kinds}


def where(name: str, failing: Sequence[str]) -> str:
    """Return the operation and step that a wrong server is wrong in, as `operation` or `operation: step`.

    That of a server made of the reference is what was changed in it; the second server's defects have a table; of the
    others it is what most of their broken requirements speak of.
    """
    mutant = mutants().get(name)
    traced = TRACED.get(name.removeprefix("traced:"))
    change = mutant.change if mutant else traced[0] if traced else None
    told = PLACES.get(name.removeprefix("second:"), "") if name.startswith("second:") else ""
    return told or (_changed(change) if change else "") or _most(failing)


def _changed(change: Change) -> str:
    """Of several operations that are changed alike, the first speaks for all."""
    changed = change(OPERATIONS)
    for name, operation in OPERATIONS.items():
        if changed[name] is not operation:
            step = _first_changed(operation, changed[name])
            return f"{name}: {step}" if step else name
    return ""


def _first_changed(before: Operation, after: Operation) -> str:
    """Return the first step that is gone or runs otherwise; where none is, the first that isn't in its place."""
    kept = {(step.name, step.run) for step in after.steps}
    other = [step.name for step in before.steps if (step.name, step.run) not in kept]
    moved = [one.name for one, two in zip(before.steps, after.steps, strict=False) if one.name != two.name]
    return next(iter([*other, *moved]), "")


def _most(failing: Sequence[str]) -> str:
    rows = [catalogue()[name] for name in failing]
    return Counter(row.step or row.operation for row in rows).most_common(1)[0][0]


def write_dictionary(stored: Mapping[str, Sequence[str]], kinds: Kinds | None = None) -> None:
    """Write the dictionary that goes with these sets, and with how the servers fail, into the package."""
    DICTIONARY.write_bytes(dictionary_bytes(faults_of(stored, kinds)))


if __name__ == "__main__":
    write_dictionary(expected())
