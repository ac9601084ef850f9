"""Two builds over one data folder: what either wrote is whole under the other, and nothing comes back.

The old build loads and is started again by itself; the new one is looked at over the same data, writes, and is judged
by the suite; then the old one again, as after a rollback, and the new one a last time.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from conformance.address import TargetInvalid
from conformance.credentials import Credentials
from conformance.exercises import Progress
from conformance.features import NOTHING_DECLARED, Declaration, decide, probe
from conformance.ledger import Ledger
from conformance.run_context import Profile, RunContext
from conformance.runner import Options, run
from conformance.session import Session, SetupRefused
from conformance.target import START_SECONDS, TargetUnreachable, open_target
from conformance.target_client import TargetClient, TargetLost
from conformance.verdict import RED, Report

DATA = "{data}"
"""Stands for the data folder in a command, as `{port}` does for the port."""
KEEPS_NOTHING = "it keeps nothing over its own restart, so there is nothing to upgrade from"


@dataclass(frozen=True)
class UpgradeOptions:
    """How to try an upgrade. In the cloud profile all is done as the operator, whose credentials are needed."""

    profile: Profile = "oss"
    credentials: Credentials = field(default_factory=Credentials)
    declaration: Declaration = NOTHING_DECLARED
    agents: int = 12
    jobs: int = 1
    deadline_seconds: float = 10.0
    start_seconds: float = START_SECONDS
    event_seconds: float = 5.0
    judged: bool = True
    """Whether the suite judges both builds over the data of the other."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One start of a build: which (`old` or `new`), what was done, what was wrong, how many seconds it took."""

    build: str
    title: str
    problems: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What came of it. `untestable` says why nothing could be said, where nothing could."""

    stages: tuple[Stage, ...]
    untestable: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        """All that was wrong, with the stage it was seen in."""
        return tuple(f"{stage.title}: {problem}" for stage in self.stages for problem in stage.problems)


Told = Callable[[Stage], None]
Within = Callable[[str], Progress]
"""Gives what is told how far a stage is, by the stage's title."""
LOADING = "the old build loads"
_PLAN = (
    ("old", "the old build again", 0),
    ("new", "the new build over the old one's data", 1),
    ("new", "the suite judges the new build there", None),
    ("old", "the old build over the new one's data", 1),
    ("old", "the suite judges the old build there", None),
    ("new", "the new build a last time", 0),
)
"""Which build, what is done, and whether it writes as many agents as it was asked for; None: the suite judges."""
_SUITE_SHARE = 12.0
"""The suite takes so many times as long as another stage, a dozen agents in each."""


def planned(options: UpgradeOptions) -> dict[str, float]:
    """Return the titles of the stages in their order, each with its share of the time."""
    suite = {title for _, title, more in _PLAN if more is None}
    shares = {title: _SUITE_SHARE if title in suite else 1.0 for title in (LOADING, *(row[1] for row in _PLAN))}
    return {title: share for title, share in shares.items() if options.judged or title not in suite}


def _untold(_title: str) -> Progress:
    return lambda _label, _done, _total: None


def upgrade(
    old: str, new: str, options: UpgradeOptions, told: Told = lambda _: None, within: Within = _untold
) -> Upgrade:
    """Try an upgrade from `old` to `new` and back, over a folder made for it.

    Args:
        old: a `cmd:` target with `{port}`, and with `{data}` where its data folder goes.
        new: the same of the other build.
        options: how.
        told: called with each stage when it is over.
        within: how far each stage is, is told what this gives.

    Raises:
        TargetInvalid: one of them is no command.
        TargetUnreachable: the old build doesn't even start over an empty folder.
        SetupRefused: or it refuses what is needed to begin with.
    """
    for text in (old, new):
        if not text.startswith("cmd:"):
            raise TargetInvalid(f"{text!r}: an upgrade starts both builds itself: write cmd:COMMAND --port {{port}}")
    with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
        targets = {"old": old.replace(DATA, folder), "new": new.replace(DATA, folder)}
        trial = _Trial(targets, options, secrets.token_hex(4), within)
        stages: list[Stage] = []
        for stage in trial.stages():
            stages.append(stage)
            within(stage.title)("", 1, 1)
            told(stage)
        return Upgrade(tuple(stages), trial.untestable)


@dataclass
class _Trial:
    """One trial: the builds, and the ledger of what must be there and what must not."""

    targets: dict[str, str]
    options: UpgradeOptions
    run_id: str
    within: Within = _untold
    untestable: str = ""

    def stages(self) -> Iterator[Stage]:
        """Go through the stages; end early where a build doesn't start or keeps nothing."""
        ledger, agents = Ledger(), self.options.agents
        began = time.monotonic()
        with self._session("old", 0) as session:
            ledger.load(session, agents)
        yield Stage("old", LOADING, (), time.monotonic() - began)
        for number, (build, title, more) in enumerate(_PLAN, start=1):
            if more is None and not self.options.judged:
                continue
            began = time.monotonic()
            found, started = self._stage(build, number, ledger, more and agents, self.within(title))
            if number == 1 and ledger.nothing_kept:
                self.untestable = KEEPS_NOTHING
                return
            yield Stage(build, title, found, time.monotonic() - began)
            if not started or ledger.nothing_kept:
                return

    def _stage(
        self, build: str, number: int, ledger: Ledger, more: int | None, progress: Progress
    ) -> tuple[tuple[str, ...], bool]:
        """Return what is wrong under a build, and whether it could be started over the data."""
        if more is None:
            return _red(self._judge(build, progress)), True
        try:
            with self._session(build, number) as session:
                found = ledger.look(session)
                if more:
                    ledger.change(session, more)
                return found, True
        except TargetUnreachable as error:
            return (f"it doesn't start over this data: {error}",), False
        except (SetupRefused, TargetLost) as error:
            return (str(error),), False

    @contextmanager
    def _session(self, build: str, number: int) -> Iterator[Session]:
        """Start a build, talk to it as its operator, end it as people do: by SIGTERM. Raises TargetUnreachable."""
        running = open_target(self.targets[build], start_seconds=self.options.start_seconds)
        try:
            client = TargetClient(running, running.channel(), self.options.deadline_seconds)
            context = RunContext(
                run_id=self.run_id,
                profile=self.options.profile,
                org=f"upgrade-{self.run_id}",
                other_org=f"upgrade-{self.run_id}-other",
                roles={name: role for name, role in self.options.credentials.roles.items() if name == "operator"},
                event_seconds=self.options.event_seconds,
            )
            session = Session("UPGRADE", client, context, attempt=number)
            served = probe(client, session.metadata())
            session.context = replace(context, features=decide(self.options.declaration, served), served=served)
            yield session
        finally:
            running.close()

    def _judge(self, build: str, progress: Progress) -> Report:
        options = Options(
            profile=self.options.profile,
            credentials=self.options.credentials,
            declaration=self.options.declaration,
            jobs=self.options.jobs,
            quick=True,
            deadline_seconds=self.options.deadline_seconds,
            start_seconds=self.options.start_seconds,
            progress=progress,
        )
        return run(self.targets[build], options)


def _red(report: Report) -> tuple[str, ...]:
    rows = [f"{row.id} {row.verdict}: {row.sentence}" for row in report.results if row.verdict in RED]
    incomplete = () if report.run.complete else (f"the run is incomplete: {report.run.reason}",)
    return (*incomplete, *rows, *(f"left behind: {leak}" for leak in report.leaks))
