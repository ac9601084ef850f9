"""What a verification prints: stores x profiles x steps, what failed, the corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from conformance.verdict import CREATE_STEPS, FAILED, Level, Verdict
from parity.corpus_proof import CorpusProof
from parity.plan import LeftOut
from parity.proof import Proof
from parity.reference import PROFILES
from parity.run_folder import CORPUS_FILE
from parity.verification import Outcome
from terminal.fitting import fits, folded

WORDS: dict[Verdict, tuple[str, str]] = {
    Verdict.PASS: ("pass", "green"),
    Verdict.FAIL: ("FAIL", "bold red"),
    Verdict.UNTESTABLE: ("UNTESTABLE", "red"),
    Verdict.NOT_RUN: ("NOT RUN", "red"),
    Verdict.HARNESS_ERROR: ("ERROR", "bold magenta"),
    Verdict.KNOWN_FAILING: ("known", "yellow"),
    Verdict.DEVIATION: ("other", "yellow"),
    Verdict.FLAKY: ("FLAKY", "bold red"),
    Verdict.NOT_APPLICABLE: ("n/a", "dim"),
}
"""How a verdict is written in the table: a word, so that it reads without colours."""

NAMED_MAX = 10
"""So many names of one sort are printed on the terminal; the files hold them all."""


class StepsByStore:
    """The steps of create in rows, a column for each store; where that is too wide, a line a step: who differs."""

    def __init__(self, proofs: Sequence[Proof]) -> None:
        """Keep the proofs."""
        self._proofs = proofs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the table, or the lines."""
        table = steps_table(self._proofs)
        if fits(table, console, options):
            yield table
            return
        yield Text("Create, step by step", style="italic")
        for number, step in enumerate(CREATE_STEPS):
            said = Text("; ").join(_told(self._proofs, number, profile) for profile in PROFILES)
            yield from folded(
                Text.assemble(f"{number + 1:2} {step}: ", said), console, options.max_width, hanging="   "
            )


def _told(proofs: Sequence[Proof], step: int, profile: str) -> Text:
    """Say a step's verdict in a profile: one for all stores, or whose is which."""
    stores: dict[Verdict, list[str]] = {}
    for proof in proofs:
        if proof.subject.profile == profile:
            stores.setdefault(_verdict(proof, step), []).append(proof.subject.store)
    words = [
        Text.assemble(WORDS[verdict], f" on {', '.join(names)}" if len(stores) > 1 else "")
        for verdict, names in stores.items()
    ]
    return Text.assemble(f"{profile} ", Text(", ").join(words or [Text(*WORDS[Verdict.NOT_RUN])]))


def _verdict(proof: Proof, step: int) -> Verdict:
    return proof.report.steps[step].verdict if proof.report else Verdict.NOT_RUN


def steps_table(proofs: Sequence[Proof]) -> Table:
    """The steps of create in rows; a column for each store, its profiles side by side."""
    stores = list(dict.fromkeys(proof.subject.store for proof in proofs))
    table = Table(title="Create, step by step", title_justify="left")
    table.add_column("step")
    for store in stores:
        table.add_column(f"{store.replace('+', chr(10))}\n{' '.join(profile.ljust(5) for profile in PROFILES)}")
    for number, step in enumerate(CREATE_STEPS):
        cells = [_profiles([proof for proof in proofs if proof.subject.store == store], number) for store in stores]
        table.add_row(f"{number + 1:2} {step}", *cells)
    return table


def _profiles(proofs: Sequence[Proof], step: int) -> Text:
    verdicts = {proof.subject.profile: _verdict(proof, step) for proof in proofs}
    words = [WORDS[verdicts.get(profile, Verdict.NOT_RUN)] for profile in PROFILES]
    return Text(" ").join(Text(word.ljust(5), style) for word, style in words)


def proofs_table(proofs: Sequence[Proof]) -> Table:
    """A row for each run of the suite: how many requirements were judged, and the outcome."""
    table = Table(title="Conformance", title_justify="left")
    for heading in ("store", "profile"):
        table.add_column(heading)
    for heading in ("measured", "passed", "failed", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("outcome")
    for proof in proofs:
        outcome = OUTCOMES.get(proof.exit_code, _FAULT)
        table.add_row(proof.subject.store, proof.subject.profile, *_counts(proof), f"{proof.seconds:.1f}", outcome)
    return table


def _counts(proof: Proof) -> tuple[str, str, str]:
    if proof.report is None:
        return "0", "0", "0"
    summary = proof.report.summary
    return str(summary.measured), str(summary.counts[Verdict.PASS]), str(summary.counts[Verdict.FAIL])


def failure_lines(proofs: Sequence[Proof]) -> list[str]:
    """What failed, by name, and the command that shows it again; nothing for what went well."""
    lines: list[str] = []
    for proof in proofs:
        if proof.exit_code == 0:
            continue
        names = proof.report.failing() if proof.report else ()
        what = _some(names) or proof.reason or "see its folder"
        lines += [f"{_name(proof)}: {what}", f"  {proof.command}", f"  its folder: {proof.folder}"]
    return lines


def recommendation_lines(proofs: Sequence[Proof]) -> list[str]:
    """SHOULDs that aren't met, each with where: they count for nothing, and are never hidden."""
    where: dict[str, list[str]] = {}
    for proof in proofs:
        for result in proof.report.results if proof.report else ():
            if result.level is Level.SHOULD and result.verdict in FAILED:
                where.setdefault(f"{result.id} ({result.sentence})", []).append(_name(proof))
    return [f"SHOULD, not met: {what}: {', '.join(names)}" for what, names in where.items()]


def _name(proof: Proof) -> str:
    return f"{proof.subject.store} {proof.subject.profile}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more


_FAULT = "[bold magenta]fault of the suite[/]"
OUTCOMES = {0: "[green]conformant[/]", 1: "[bold red]NOT CONFORMANT[/]", 3: "[red]incomplete[/]"}
"""What the suite's exit codes say."""


def corpus_lines(proof: CorpusProof) -> list[str]:
    """Sentences about a corpus: what was read, what was left out by name, what came back from each store."""
    source = proof.source
    lines = [f"Corpus {source.name}: {source.records} records, {source.agents} agents, {len(source.skipped)} left out"]
    lines += [f"  left out: {name}" for name in source.skipped[:NAMED_MAX]]
    if len(source.skipped) > NAMED_MAX:
        lines.append(f"  ... and {len(source.skipped) - NAMED_MAX} more, all named in {CORPUS_FILE} and the report")
    for trip in proof.round_trips:
        lines.append(f"  {trip.store}: {trip.equal} of {trip.agents} came back equal ({trip.seconds:.1f} s)")
        lines += [f"    {difference}" for difference in trip.differences]
    return lines


def left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    """Sentences about stores that are missing here."""
    return [f"Left out: {row.store}: {row.reason}" for row in left_out]


def interrupted_lines(outcome: Outcome, directory: Path) -> list[str]:
    """What is finished of a verification that somebody ended, and where it is."""
    names = ", ".join(_name(proof) for proof in outcome.proofs) or "nothing"
    return [
        f"interrupted after {outcome.seconds:.0f} s; finished: {names}",
        f"kept in {directory}" + f"; its page: parity report {directory}" * bool(outcome.proofs),
    ]
