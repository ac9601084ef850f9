"""The kill matrix: the suite against every wrong server, compared with the stored sets.

`expected.json` holds for each wrong server the exact set of requirements that must fail, over whatever store. A server
that nothing notices, a requirement that no server breaks, and any set that differs from the stored one are faults of
the suite. That a set has grown shows only where a server is judged by all requirements.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from pathlib import Path

from conformance.catalogue import catalogue
from conformance.checks import check_of
from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, Level
from tests.mutants.operators import generated
from tests.mutants.wrong_servers import ALONE, STORES, Outcome, has_own_store, is_generated, judge, sins, store_of

EXPECTED = Path(__file__).with_name("expected.json")
GENERATED = Path(__file__).with_name("generated.json")
"""The sets of generated wrong servers, of which each is judged by the requirements that its operator names."""
BOTH = "both"
TWICE_MAX = 3
"""So many wrong servers at most are judged a second time; more that differ are no chance."""

Case = tuple[str, str]
"""A wrong server by name, and the store that it is judged over; empty: its own."""


def cases(names: Iterable[str], store: str = "") -> list[Case]:
    """Return what is to be judged, over a store of `STORES`, over `BOTH`, or (empty) over the one whose turn it is."""
    found: list[Case] = []
    for name in names:
        if has_own_store(name):
            found.append((name, ""))
        elif store == BOTH:
            found += [(name, each) for each in STORES]
        else:
            found.append((name, store or store_of(name)))
    return found


def wrong_servers() -> tuple[str, ...]:
    """Return the names of all: those written by hand, then the generated ones."""
    return (*sins(), *generated())


def expected() -> dict[str, list[str]]:
    """Read the stored sets of those written by hand."""
    return _read(EXPECTED)


def expected_of_generated() -> dict[str, list[str]]:
    """Read the stored sets of the generated ones."""
    return _read(GENERATED)


def all_stored() -> dict[str, list[str]]:
    """Read all stored sets."""
    return {**expected(), **expected_of_generated()}


def _read(path: Path) -> dict[str, list[str]]:
    stored: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return stored


def store_sets(outcomes: Iterable[Outcome]) -> None:
    """Store the sets as they are now; of one that differs between stores, the last."""
    stored = all_stored() | {outcome.name: sorted(outcome.failing) for outcome in outcomes}
    for path, names in ((EXPECTED, list(sins())), (GENERATED, list(generated()))):
        kept = {name: stored[name] for name in names if name in stored}
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def judge_all(
    wanted: Sequence[Case], told: Callable[[Outcome], None], sets: Mapping[str, Sequence[str]]
) -> list[Outcome]:
    """Judge all, twice as many at once as there are processors; those that take long begin, so that all end together.

    Each waits for half of its time: for the disk, or for a race to begin.

    Args:
        wanted: the wrong servers and their stores.
        told: is handed each outcome as it comes.
        sets: by the server's name, the requirements that it is judged by; one that isn't in it: all.
    """
    order = {name: place for place, name in enumerate(wrong_servers())}
    found: list[Outcome] = []
    # A forked child of a process that runs gRPC may hang; a spawned one begins clean.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2 * (os.cpu_count() or 1), mp_context=context, initializer=_warm) as pool:
        waiting = [
            pool.submit(judge, name, tuple(sets.get(name, ())), store=store)
            for name, store in sorted(wanted, key=lambda case: case[0] not in ALONE)
        ]
        for done in as_completed(waiting):
            found.append(done.result())
            told(found[-1])
    return sorted(found, key=lambda outcome: order[outcome.name])


def _warm() -> None:
    """Load what every run needs, and keep the collector from walking through it again and again.

    What a library and a catalogue hold lives as long as the process; left among the young, it makes up a fifth of the
    time of all runs.
    """
    check_of()  # with it all checks, and what they are made from
    import_module("reference_server.pipelines")
    gc.collect()
    gc.freeze()


def faults(outcomes: Iterable[Outcome], stored: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what is wrong with the suite: survivors, and sets that differ from the stored ones."""
    known = {*wrong_servers()}
    found = [f"{name}: stored, but there is no such server" for name in stored if name not in known]
    return found + [fault for outcome in outcomes for fault in faults_of(outcome, stored)]


def faults_of(outcome: Outcome, stored: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what one outcome says against the suite."""
    found = []
    if not outcome.failing and not is_equivalent(outcome.name):
        found.append(f"{outcome}: survived")
    musts = [name for name in outcome.failing if catalogue()[name].level is Level.MUST]
    code = EXIT_NOT_CONFORMANT if musts else EXIT_CONFORMANT
    if outcome.exit_code != code:
        found.append(f"{outcome}: exit code {outcome.exit_code} instead of {code}")
    wanted, failing = set(stored.get(outcome.name, ())), set(outcome.failing)
    if wanted != failing:
        missing, more = sorted(wanted - failing), sorted(failing - wanted)
        found.append(f"{outcome}: no longer fails {missing}, newly fails {more}")
    return found


def is_equivalent(name: str) -> bool:
    """Say whether nothing outside can tell a generated wrong server from a right one."""
    return is_generated(name) and bool(generated()[name].equivalent)


def unkilled(sets: Iterable[Iterable[str]]) -> list[str]:
    """Return the requirements that no wrong server breaks."""
    killed = {requirement for failing in sets for requirement in failing}
    return [row.id for row in catalogue().values() if not row.excluded and row.id not in killed]
