"""`corpus.json`: every agent of a corpus through the reference server over every store, and what couldn't be one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from benchmarks.payloads.corpus import load_corpus
from benchmarks.payloads.payload import SIZE_CLASSES
from benchmarks.results import PayloadSource
from parity.corpus import RoundTrip, send_all
from parity.plan import JudgedStore, Plan
from parity.reference import Reference

FORMAT = 1


@dataclass(frozen=True, slots=True)
class CorpusProof:
    """A corpus (with the name of each record that can't be an agent) and what became of its agents on each store."""

    file: Path
    source: PayloadSource
    round_trips: tuple[RoundTrip, ...]

    @property
    def holds(self) -> bool:
        """Whether every agent came back equal from every store."""
        return all(trip.holds for trip in self.round_trips)


def prove_corpus(
    file: Path, plan: Plan, scratch: Path, logs: Path, *, advance: Callable[[str, int, int], None]
) -> CorpusProof:
    """Send a corpus through each store of the plan, in the oss profile: there a slug is unique in the whole kind.

    `advance(store, done, all)` is called as agents come back. Raises PayloadError for a bad file.
    """
    payloads = load_corpus(file)
    classes = [(name, agents) for name, _ in SIZE_CLASSES if (agents := payloads.of_class(name))]
    trips: list[RoundTrip] = []
    for subject in plan.subjects:
        if subject.profile != "oss":
            continue
        begun = time.monotonic()
        found: list[str] = []
        with _reference(subject, scratch, logs).started() as server:
            for done, problem in enumerate(send_all(server.address, payloads.agents), start=1):
                found += [problem] if problem else []
                advance(subject.store, done, len(payloads.agents))
        equal = len(payloads.agents) - len(found)
        seconds = round(time.monotonic() - begun, 3)
        trips.append(RoundTrip(subject.store, len(payloads.agents), equal, tuple(found), seconds))
    return CorpusProof(file, payloads.source(classes), tuple(trips))


def _reference(subject: JudgedStore, scratch: Path, logs: Path) -> Reference:
    stores = scratch / "corpus"
    stores.mkdir(exist_ok=True)
    reference = Reference(subject.url(stores), "oss", scratch / f"corpus-{subject.label}", logs / subject.label)
    reference.prepare()
    return reference


def write_corpus_proof(proof: CorpusProof, path: Path) -> None:
    """Write the JSON file: how many records became agents, the others by name, and the round trips."""
    document = {
        "format": FORMAT,
        "file": str(proof.file),
        "records": proof.source.records,
        "agents": proof.source.agents,
        "renamed": proof.source.renamed,
        "skipped": proof.source.skipped,
        "round_trips": [asdict(trip) for trip in proof.round_trips],
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
