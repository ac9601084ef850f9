"""Judges the generated wrong stores: `python -m stores.tests.operators [PATTERN]` names each that no check finds.

Without a pattern it judges all, and writes `docs/wrong-stores.md`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from stores.suite.check import StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.mutants import MUTANTS
from stores.suite.mutants.durability import SINS
from stores.suite.mutants.operators import OPERATORS, WrongStore, generated
from stores.suite.subject import FunctionSubject

PAGE = Path(__file__).parents[2] / "docs" / "wrong-stores.md"
BY_ID = {check.id: check for check in CHECKS}
UNSEEN = ("race-", "durable-", "size-on-disk")
"""No generated store is judged by these: the scheduler decides races, and in memory nothing is on a disk."""


def killer(store: WrongStore, folder: Path) -> str:
    """Return the id of the first check that a store fails, those that it is made for first; or nothing."""
    subject = FunctionSubject(store.opener(), folder)
    others = (id_ for id_ in BY_ID if id_ not in store.operator.asked and not id_.startswith(UNSEEN))
    for id_ in (*store.operator.asked, *others):
        if run_check(BY_ID[id_], subject, id_).verdict is StoreVerdict.FAIL:
            return id_
    return ""


def page_of(kills: Mapping[str, str]) -> str:
    """Return the page (Markdown) that says what was made, and what killed it."""
    made = generated()
    alike = {name: store.equivalent for name, store in made.items() if store.equivalent}
    killed = sum(bool(kills[name]) for name in made)
    left_open = len([name for name in made if not kills[name] and name not in alike])
    lines = [
        "# Wrong stores",
        "",
        "Stores that are wrong on purpose, and the check of `parity stores check` that finds each. An operator",
        "(`stores/suite/mutants/operators.py`) spoils one rule for every kind or index that has it.",
        "`python -m stores.tests.operators` judges them all and writes this page.",
        "",
        f"{len(made)} are generated: {killed} killed, {len(alike)} equivalent, {left_open} open.",
        f"By hand: {len(MUTANTS)} wrong in what they answer (`stores/tests/kill_matrix.json`), {len(SINS) - 1} that",
        "aren't as durable as they say, which are opened by an entry point and judged by `durable-syncs` and",
        "`durable-kills` (`stores/suite/mutants/durability.py`).",
        "",
        "| operator | made | killed | equivalent | by |",
        "|---|---|---|---|---|",
        *_rows(kills, alike),
        "",
        *(f"- `{name}`: {reason}." for name, reason in alike.items()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _rows(kills: Mapping[str, str], alike: Mapping[str, str]) -> Iterator[str]:
    for operator in OPERATORS:
        own = [store.name for store in operator.stores()]
        by = ", ".join(f"`{id_}`" for id_ in dict.fromkeys(kills[name] for name in own) if id_)
        killed = sum(bool(kills[name]) for name in own)
        yield f"| {operator.name} | {len(own)} | {killed} | {sum(name in alike for name in own)} | {by} |"


def main(pattern: str = "*") -> int:
    """Judge, print the survivors, and write. Returns the exit code: 1 if any is open."""
    kills: dict[str, str] = {}
    left_open = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, store) in enumerate(generated().items()):
            if fnmatchcase(name, pattern):
                kills[name] = killer(store, Path(folder) / str(number))
                if not kills[name] and not store.equivalent:
                    left_open += 1
                    sys.stdout.write(f"open: {name}\n")
                    sys.stdout.flush()
    sys.stdout.write(f"{len(kills)} judged, {sum(map(bool, kills.values()))} killed, {left_open} open\n")
    if pattern == "*":
        PAGE.write_text(page_of(kills))
    return 1 if left_open else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
