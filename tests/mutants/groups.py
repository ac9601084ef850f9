"""Servers that are wrong in several ways at once, and how well the diagnosis of their failures names the ways.

`python -m tests.mutants.groups --count 200` plants groups of one to six mutants in one reference server each, runs the
suite against it, and prints how precise and how complete the causes are that it names. With `--keep FOLDER` the runs
are kept there: a group that was run before is diagnosed from its evidence, so the whole can be run in portions, and
judged again when the method has changed. `--results FILE` writes what came out as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from conformance.cause import Diagnosis
from conformance.dictionary import Fault, dictionary
from conformance.evidence_file import EvidenceUnreadable
from conformance.rejudge import OtherCatalogue, recheck
from conformance.verdict import EVIDENCE_FILE, MEASURED, Report
from reference_server.pipelines import OPERATIONS
from tests.mutants.mutant import Mutant
from tests.mutants.wrapping import together
from tests.mutants.wrong_servers import ALONE, judge_mutant, mutants

LARGEST = 6
"""Defects in one server."""


@dataclass(frozen=True)
class Score:
    """What a diagnosis got right of one group.

    `named` causes, `right` of them a planted defect's; `planted` defects, `found` of them named; `masked` of them break
    nothing that was measured and that the others of the group don't break too, so nothing can tell them; `found_told`
    are those that were named and aren't masked.
    """

    named: int
    right: int
    planted: int
    found: int
    masked: int
    found_told: int


@dataclass(frozen=True)
class Total:
    """Scores of many groups, added up."""

    groups: int
    named: int
    right: int
    planted: int
    found: int
    masked: int
    found_told: int

    @property
    def precision(self) -> float:
        """How many of the named causes were planted."""
        return self.right / self.named

    @property
    def recall(self) -> float:
        """How many of the planted defects were named; one that nothing can tell counts as missed."""
        return self.found / self.planted

    @property
    def recall_told(self) -> float:
        """How many of the planted defects that something can tell were named."""
        return self.found_told / (self.planted - self.masked)

    def __str__(self) -> str:
        return (
            f"{self.groups} groups, {self.planted} defects planted, {self.masked} of them masked by others: "
            f"{self.named} causes named, {self.right} of them right: precision {self.precision:.3f}; "
            f"{self.found} defects named: recall {self.recall:.3f}, of those that aren't masked {self.recall_told:.3f}"
        )


def total(scores: Iterable[Score]) -> Total:
    """Add scores up."""
    rows = list(scores)
    sums = {name: sum(getattr(row, name) for row in rows) for name in asdict(rows[0])}
    return Total(len(rows), **sums)


def groups(names: Sequence[str], seed: int) -> Iterator[tuple[str, ...]]:
    """Yield groups of one to six different names, for ever."""
    chance = random.Random(seed)
    while True:
        yield tuple(sorted(chance.sample(names, chance.randint(1, LARGEST))))


def score(planted: Sequence[str], diagnosis: Diagnosis, measured: frozenset[str]) -> Score:
    """Hold the named causes against what was planted.

    Faults that break the same of what the run can measure, in the same ways, can't be told apart: naming one names all.
    """
    symptoms = {fault.id: _symptoms(fault, measured) for fault in dictionary()}
    broken = {fault.id: frozenset(fault.fails) & measured for fault in dictionary()}
    named = [symptoms.get(cause.id, frozenset({cause.id})) for cause in diagnosis.causes]
    true = [symptoms[name] for name in planted]
    masked = [
        _is_masked(broken[one], [broken[other] for other in planted if symptoms[other] != symptoms[one]])
        for one in planted
    ]
    found = [bool(one) and one in named for one in true]
    return Score(
        named=len(named),
        right=sum(one in true for one in named),
        planted=len(true),
        found=sum(found),
        masked=sum(masked),
        found_told=sum(one and not hidden for one, hidden in zip(found, masked, strict=True)),
    )


def _symptoms(fault: Fault, measured: frozenset[str]) -> frozenset[str]:
    return frozenset(symptom for name in fault.fails if name in measured for symptom in fault.symptoms(name) or {name})


def _is_masked(one: frozenset[str], others: Sequence[frozenset[str]]) -> bool:
    return one <= frozenset[str]().union(*others)


def composed(names: Sequence[str]) -> Mutant | None:
    """Return one mutant with the sins of several; None where they don't go together: a step is gone, settings clash."""
    parts = [mutants()[name] for name in names]
    config = {key: value for part in parts for key, value in part.config.items()}
    change = together(*(part.change for part in parts))
    try:
        change(OPERATIONS)
    except ValueError:
        return None
    if len(config) < sum(len(part.config) for part in parts):
        return None
    return Mutant("+".join(names), "; ".join(part.sin for part in parts), change, config=config)


def planted_groups(seed: int) -> Iterator[tuple[tuple[str, ...], Mutant]]:
    """Yield groups of mutants of the cloud profile that go together, each as one mutant.

    Those whose sins reach into other checks are left out: they are exact only where one check runs at a time.
    """
    names = sorted(name for name, mutant in mutants().items() if mutant.profile == "cloud" and name not in ALONE)
    for group in groups(names, seed):
        if (mutant := composed(group)) is not None:
            yield group, mutant


def judged_group(
    group: Sequence[str], mutant: Mutant, store: str = "sqlite", kept: Path | None = None
) -> tuple[Score, Report]:
    """Run the suite against a group, and score what it names; a run that is kept isn't run again."""
    report = kept_run(kept) or judge_mutant(mutant, store, out=kept)
    measured = frozenset(row.id for row in report.results if row.verdict in MEASURED)
    return score(group, report.diagnosis, measured), report


def kept_run(folder: Path | None) -> Report | None:
    """Return what a kept run says by today's method; None where it has no end or was of other requirements."""
    if folder is None or not (folder / EVIDENCE_FILE).exists():
        return None
    try:
        return recheck(folder)
    except (EvidenceUnreadable, OtherCatalogue):
        return None


@dataclass(frozen=True)
class Group:
    """Names of planted defects, and what judges a server with all of them and keeps the run, if given a folder."""

    names: tuple[str, ...]
    judge: Callable[[Path | None], tuple[Score, Report]]


def _judged_groups(seed: int) -> Iterator[Group]:
    for names, mutant in planted_groups(seed):
        yield Group(names, partial(judged_group, names, mutant, "sqlite"))


def command_line(description: str, judged_groups: Callable[[int], Iterator[Group]]) -> None:
    """Judge groups of a seed and print the scores, as the command line says."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keeps the runs; those that it has aren't run again"
    )
    parser.add_argument("--results", type=Path, metavar="FILE", help="JSON")
    arguments = parser.parse_args()
    scores, rows = [], []
    for number, group in enumerate(islice(judged_groups(arguments.seed), arguments.count)):
        one, report = group.judge(arguments.keep / f"{arguments.seed}-{number:03d}" if arguments.keep else None)
        scores.append(one)
        rows.append(_row(group, one, report))
        _say(json.dumps(rows[-1]))
    found = total(scores)
    if arguments.results:
        whole = {"seed": arguments.seed, "total": asdict(found), "summary": str(found), "groups": rows}
        arguments.results.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    _say(str(found))


def _row(group: Group, one: Score, report: Report) -> dict[str, object]:
    diagnosis = report.diagnosis
    return {
        "planted": group.names,
        "named": [cause.id for cause in diagnosis.causes],
        "unexplained": diagnosis.unexplained,
        "failed": len(report.failing()),
        "score": asdict(one),
    }


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    command_line("Plant groups of defects and score the diagnosis of each.", _judged_groups)
