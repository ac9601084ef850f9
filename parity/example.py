"""An example of a requirement: what the suite asks the reference server about it, and what comes back, just now."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance.catalogue import Requirement
from conformance.credentials import read_credentials
from conformance.evidence import Exchange
from conformance.evidence_file import read_evidence
from conformance.features import read_declaration
from conformance.run_context import profile_named
from conformance.runner import Options, run
from conformance.transcript import ELSEWHERE, exchange_lines
from conformance.verdict import EVIDENCE_FILE
from parity.reference import Reference
from terminal.lines import wrapped

SHOWN_MAX = 6


@dataclass(frozen=True, slots=True)
class Example:
    """What one check said and heard, and what was concluded."""

    profile: str
    verdict: str
    exchanges: tuple[Exchange, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yield the example for people."""
        head = f"Example, from the reference server in the {self.profile} profile ({self.verdict}):"
        yield from wrapped(head, columns)
        for exchange in self.exchanges[:SHOWN_MAX]:
            for line in exchange_lines(exchange, ELSEWHERE):
                indent = line[: len(line) - len(line.lstrip())]
                yield from wrapped(line.strip(), columns, indent)
        if len(self.exchanges) > SHOWN_MAX:
            yield f"    and {len(self.exchanges) - SHOWN_MAX} more exchanges"
        if not self.exchanges:
            yield "    no exchange: it is judged by what else the server shows"


def example_of(requirement: Requirement, profile: str = "") -> Example:
    """Run the check of a requirement against a reference server of its own. Raises Problem if that doesn't start."""
    wanted = profile or ("oss" if "oss" in requirement.profiles else requirement.profiles[0])
    with tempfile.TemporaryDirectory(prefix="parity-example-") as name:
        folder = Path(name)
        reference = Reference(f"sqlite:{folder / 'agents.db'}?durability=relaxed", wanted, folder, folder)
        reference.prepare()
        options = Options(
            profile=profile_named(wanted),
            only=(requirement.id,),
            credentials=read_credentials(reference.credentials),
            declaration=read_declaration(reference.declaration),
            quick=True,
        )
        report = run(reference.target, options, out=folder)
        stored = read_evidence(folder / EVIDENCE_FILE)
    result = next(one for one in report.results if one.id == requirement.id)
    exchanges = {one.seq: one for evidence in stored.evidence.values() for one in evidence.exchanges}
    found = tuple(exchanges[seq] for seq in result.evidence if seq in exchanges)
    return Example(wanted, str(result.verdict), found)
