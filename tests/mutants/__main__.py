"""`make mutants`: run the suite against every wrong server.

Each is judged by the requirements of its stored set, which it must all fail. `--exact` judges it by all requirements:
beyond its set it must fail none. `--update` does that too, and stores the sets as they are now. A generated one is
judged by no other requirements than its operator names. `--update` writes into the fault dictionary how each
requirement fails, too; `--kinds` writes that alone, judged by the stored sets.
"""

from __future__ import annotations

import argparse
import fnmatch
import resource
import sys
import time
from collections.abc import Mapping, Sequence

from tests.mutants.dictionary import write_dictionary
from tests.mutants.matrix import (
    BOTH,
    TWICE_MAX,
    all_stored,
    cases,
    expected,
    expected_of_generated,
    faults,
    faults_of,
    judge_all,
    store_sets,
    unkilled,
    wrong_servers,
)
from tests.mutants.page import PAGE, page_of
from tests.mutants.wrong_servers import STORES, Outcome, has_fast_paths, has_own_store


def main() -> int:
    """Return 0 if every wrong server is killed by its stored set and somebody breaks every requirement."""
    arguments = _arguments()
    part, parts = arguments.shard
    wanted = cases(_names(arguments.only), arguments.store)[part - 1 :: parts]
    began, done = time.monotonic(), [0]

    def told(outcome: Outcome) -> None:
        done[0] += 1
        _say(f"[{done[0]}/{len(wanted)}] {outcome}: {len(outcome.failing)} broken")

    sets = {} if arguments.exact or arguments.update else all_stored()
    outcomes = judge_all(wanted, told, sets)
    if not arguments.update:
        outcomes = judged_twice(outcomes, sets)
    if arguments.update:
        store_sets(outcomes)
        PAGE.write_text(page_of(expected(), expected_of_generated()), encoding="utf-8")
    if arguments.kinds or arguments.update:
        write_dictionary(expected(), {outcome.name: outcome.kinds for outcome in outcomes})
    found = faults(outcomes, all_stored())
    if not arguments.only:
        found += [f"{requirement}: nothing breaks it" for requirement in unkilled(all_stored().values())]
    for fault in found:
        _say(f"FAULT {fault}")
    _say(_summary(outcomes, len(found), time.monotonic() - began))
    return 1 if found else 0


def judged_twice(outcomes: Sequence[Outcome], sets: Mapping[str, Sequence[str]]) -> list[Outcome]:
    """Judge those that differ from their sets once more, alone, and say what differed at first.

    A race that a quick run of the suite meets by chance, on a machine that is busy, is no fault of the suite; what
    differs twice is.
    """
    stored = all_stored()
    differing = [one for one in outcomes if faults_of(one, stored)]
    if not 0 < len(differing) <= TWICE_MAX:
        return list(outcomes)
    for one in differing:
        _say(f"TWICE {'; '.join(faults_of(one, stored))}")
    again = {str(one): one for one in judge_all([(one.name, one.store) for one in differing], lambda _: None, sets)}
    return [again.get(str(one), one) for one in outcomes]


def _names(patterns: Sequence[str]) -> list[str]:
    every = list(wrong_servers())
    return [name for pattern in patterns or ("*",) for name in fnmatch.filter(every, pattern)]


def _summary(outcomes: Sequence[Outcome], faults_count: int, seconds: float) -> str:
    over = [f"{sum(one.store == name for one in outcomes)} over {name}" for name in STORES]
    plain = sum(not has_own_store(one.name) and not has_fast_paths(one.name) for one in outcomes)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        f"kill matrix: {len(outcomes)} wrong servers ({', '.join(over)}, {plain} without fast paths), "
        f"{faults_count} faults; {seconds:.0f} s, {children.ru_utime + children.ru_stime:.0f} s of processor time"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the conformance suite against every deliberately wrong server.")
    parser.add_argument(
        "--exact", action="store_true", help="by all requirements, not by those of the stored set alone"
    )
    parser.add_argument("--update", action="store_true", help="store the sets as they are now, and write the page")
    parser.add_argument("--kinds", action="store_true", help="write how each fails into the fault dictionary")
    parser.add_argument(
        "--only", action="append", default=[], type=_pattern, metavar="NAME", help="or pattern; may be repeated"
    )
    parser.add_argument("--store", choices=(*STORES, BOTH), default="", help="default: in turns")
    parser.add_argument("--shard", type=_shard, default=(1, 1), metavar="K/N", help="every Nth, from the Kth on")
    return parser.parse_args()


def _pattern(text: str) -> str:
    if not _names([text]):
        raise argparse.ArgumentTypeError(f"no wrong server is called {text!r}")
    return text


def _shard(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N, for example 1/2")
    return int(part), int(parts)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    sys.exit(main())
