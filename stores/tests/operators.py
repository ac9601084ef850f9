"""Judges the generated wrong stores: `python -m stores.tests.operators [PATTERN]` names each that no check finds.

What killed each is kept in `generated_kills.json`, of which `docs/wrong-stores.md` is written. A pattern judges only
the stores that it names (`page-*`), and keeps of the others what was found before.
"""

from __future__ import annotations

import json
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
KILLS = Path(__file__).parent / "generated_kills.json"
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


def stored() -> dict[str, str]:
    """Return what killed each store when it was last judged, by name."""
    found: dict[str, str] = json.loads(KILLS.read_text()) if KILLS.exists() else {}
    return found


def main(pattern: str = "*") -> int:
    """Judge, print the survivors, and write. Returns the exit code: 1 if any is open, or wasn't judged yet."""
    made, before = generated(), stored()
    kills = {name: before[name] for name in made if name in before}
    chosen = [name for name in made if fnmatchcase(name, pattern)]
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(chosen):
            kills[name] = killer(made[name], Path(folder) / str(number))
            if not kills[name] and not made[name].equivalent:
                sys.stdout.write(f"open: {name}\n")
                sys.stdout.flush()
    KILLS.write_text(json.dumps({name: kills[name] for name in made if name in kills}, indent=0) + "\n")
    left_out = [name for name in made if name not in kills]
    left_open = [name for name in kills if not kills[name] and not made[name].equivalent]
    sys.stdout.write(f"{len(chosen)} judged; of all {len(made)} {len(left_open)} open, {len(left_out)} never judged\n")
    if not left_out:
        PAGE.write_text(page_of(kills))
    return 1 if left_open or left_out else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
