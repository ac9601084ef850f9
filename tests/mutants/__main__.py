"""`make mutants`: run the suite against every wrong server; `--update` stores the sets as they are now."""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.mutants.matrix import EXPECTED, Outcome, expected, faults, judge_all, sins, unkilled, write_page


def main() -> int:
    """Return 0 if every mutant is killed by exactly the stored set and every requirement is broken by somebody."""
    parser = argparse.ArgumentParser(description="Run the conformance suite against every deliberately wrong server.")
    parser.add_argument("--update", action="store_true", help="store the sets as they are now")
    parser.add_argument("--only", action="append", default=[], help="name of a mutant; may be repeated")
    arguments = parser.parse_args()
    names = arguments.only or list(sins())
    began, done = time.monotonic(), [0]

    def told(outcome: Outcome) -> None:
        done[0] += 1
        print(f"[{done[0]}/{len(names)}] {outcome.name}: {len(outcome.failing)} broken", flush=True)  # noqa: T201

    outcomes = judge_all(names, told)
    stored = expected() if EXPECTED.exists() else {}
    if arguments.update:
        stored = {**stored, **{outcome.name: sorted(outcome.failing) for outcome in outcomes}}
        stored = {name: stored[name] for name in sins() if name in stored}
        EXPECTED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    found = faults(outcomes, stored)
    if not arguments.only:
        found += [f"{requirement}: no mutant breaks it" for requirement in unkilled(stored.values())]
        write_page(stored)
    for fault in found:
        print(f"FAULT {fault}")  # noqa: T201
    print(f"{len(outcomes)} wrong servers in {time.monotonic() - began:.0f} s, {len(found)} faults")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
