"""A run directory as frozen values: all that a renderer may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.results import Results
from conformance.evidence import Exchange
from conformance.verdict import Report
from reports.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Judged:
    """One server that the conformance suite judged: a column of the matrices.

    `name` is unique in the run; `store` is what stood behind the server (or its address). `exchanges` are found by
    their `seq`; None where the run directory has no evidence file. `command` judges this server again.
    `evidence_sha256` is empty where there is none.
    """

    name: str
    store: str
    report: Report
    exchanges: Mapping[int, Exchange] | None
    command: str
    evidence_sha256: str = ""

    @property
    def profile(self) -> str:
        """The profile that the server was judged by."""
        return self.report.run.profile


@dataclass(frozen=True, slots=True)
class Broken:
    """A run of the suite that came to no verdicts, as the manifest says, and the command that tries again."""

    name: str
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What became of the agents of a corpus behind one store: how many were read back equal, and the others by name."""

    store: str
    agents: int
    equal: int
    differences: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Corpus:
    """The agents of a run. `skipped` names each record that could not be an agent, with its line and the reason.

    `kind` is `corpus` or what a benchmark calls its source; `renamed` counts agents that got another slug because
    theirs was taken.
    """

    kind: str
    name: str
    records: int
    agents: int
    renamed: int
    skipped: tuple[str, ...]
    round_trips: tuple[RoundTrip, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was found in a run directory, in a fixed order. Absent parts are None or empty."""

    name: str
    judged: tuple[Judged, ...] = ()
    broken: tuple[Broken, ...] = ()
    benchmarks: Results | None = None
    manifest: Manifest | None = None
    corpus: Corpus | None = None
    docs: str = ""
    """The address of the site of documents (`make docs`), where requirements are explained; empty: nowhere."""

    @property
    def started_at(self) -> str:
        """When the run began, by the best source there is; empty where no file says so."""
        if self.manifest:
            return self.manifest.started_at
        starts = [one.report.run.started_at for one in self.judged]
        if self.benchmarks:
            starts.append(self.benchmarks.raw.environment.captured_at)
        return min(starts, default="")

    @property
    def finished_at(self) -> str:
        """When the run ended; empty where no file says so."""
        if self.manifest:
            return self.manifest.finished_at
        return max((one.report.run.finished_at for one in self.judged), default="")

    @property
    def command(self) -> str:
        """The command that makes this run again."""
        if self.manifest:
            return self.manifest.command
        if self.benchmarks:
            return self.benchmarks.raw.configuration.command
        return self.judged[0].command if self.judged else ""

    @property
    def machine(self) -> str:
        """The machine in one line; empty where no file describes it."""
        if self.benchmarks:
            machine = self.benchmarks.raw.environment
            memory = f"{machine.memory_bytes / (1 << 30):.1f} GiB"
            return f"{machine.cpu}, {machine.cpu_count} cores, {memory}, {machine.system}"
        return self.manifest.system if self.manifest else ""

    @property
    def versions(self) -> dict[str, str]:
        """Versions of all that took part, by name in order."""
        found: dict[str, str] = {}
        if self.benchmarks:
            found |= {"python": self.benchmarks.raw.environment.python, **self.benchmarks.raw.environment.versions}
        for one in self.judged:
            found |= one.report.run.versions
        if self.manifest:
            found |= self.manifest.versions
            found |= {"python": self.manifest.python} if self.manifest.python else {}
        return dict(sorted(found.items()))
