"""One nemesis run: clients at work, faults over them, a last look when all is quiet, and what was made is deleted."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import grpc
import orjson

from conformance.evidence import Json
from conformance.features import decide, probe
from conformance.founding import found_context, leave_context
from conformance.nemesis.behind import check_behind, told_ways, ways_behind
from conformance.nemesis.chance import another, chance
from conformance.nemesis.client import Client
from conformance.nemesis.faults import BEHIND, BY_PROCESS, FAULTS, KILL, Fault, Field, NemesisInvalid, haunt
from conformance.nemesis.grants import Grants, guarded_agents
from conformance.nemesis.history import FORMAT, HISTORY_FILE, LIVE, REPLAY, HistoryWriter, read_history
from conformance.nemesis.judge import NemesisReport, judge
from conformance.nemesis.keys import Keys
from conformance.nemesis.last_look import last_look
from conformance.nemesis.proxy import Proxy, proxies
from conformance.nemesis.watcher import Watcher, in_background
from conformance.runner import Options, first_context, new_run_id
from conformance.session import Session
from conformance.target import Running, open_channel, open_target, targets_of
from conformance.target_client import TargetClient, TargetLost

CLIENTS = 6
CALL_SECONDS = 1.5
"""How long a client waits for one answer: shorter than the longest fault, so that some calls end unknown."""
THINK_SECONDS = 0.012
AFTER_UNKNOWN_SECONDS = 0.1
QUIET_SECONDS = 1.0
"""What is still on its way when the faults are over has arrived after this."""
END_SECONDS = 20.0
GUARDED_MIN = 4
"""Guarded agents; a longer run uses up one a second or so."""
VERDICT_FILE = "nemesis.json"


@dataclass(frozen=True)
class Plan:
    """What the nemesis does: which faults, for how many seconds, over how many clients."""

    faults: tuple[str, ...]
    seconds: float = 20.0
    clients: int = CLIENTS
    behind: str = ""
    """What all targets share, as host:port: each goes there by a way of its own, `{behind}` in its command."""
    own: Mapping[str, Fault] = field(default_factory=dict)
    """Faults that the caller brings along, by name; they take the place of those that have the name."""

    def striking(self) -> dict[str, Fault]:
        """Return the faults by name."""
        return {name: {**FAULTS, **self.own}[name] for name in self.faults}


def run_nemesis(target: str, options: Options, plan: Plan, *, out: Path | None = None) -> NemesisReport:
    """Let clients work on a target while the nemesis strikes, and judge what they were answered.

    Args:
        target: as `conformance.target` reads it; several, with commas between, are replicas of one server.
        options: profile, credentials, seed, deadline; the rest is for the suite.
        plan: what the nemesis does.
        out: folder for `history.jsonl` and `nemesis.json`; without one they are not kept.

    Raises:
        NemesisInvalid: a fault can't be had on this target.
        TargetInvalid, TargetUnreachable: as `open_target`.
        SetupRefused, TargetLost: it refuses, or stops answering, before any fault.
    """
    with ExitStack() as stack:
        texts = targets_of(target)
        _check(texts, options, plan)
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nemesis-")))
        ways = stack.enter_context(ways_behind(plan.behind, len(texts), options.seed))
        running = [stack.enter_context(_opened(text, options)) for text in told_ways(texts, ways)]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / HISTORY_FILE).open("wb") as file:
            run = _Run(running, ways, options, plan, HistoryWriter(file))
            run.go(options.name or target)
        report = judge(read_history(folder))
        (folder / VERDICT_FILE).write_bytes(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2))
    return report


def judge_again(folder: Path) -> NemesisReport:
    """Judge the history of a kept run again. Raises HistoryUnreadable."""
    return judge(read_history(folder))


def _check(texts: Sequence[str], options: Options, plan: Plan) -> None:
    by_process = [fault for fault in plan.faults if fault in BY_PROCESS]
    if by_process and not all(text.startswith("cmd:") for text in texts):
        raise NemesisInvalid(
            f"--nemesis {','.join(by_process)} needs a target that the suite starts itself: cmd:COMMAND"
        )
    check_behind(texts, plan.behind, [fault for fault in plan.faults if fault in BEHIND and fault not in plan.own])
    if KILL in plan.faults and options.declaration.of("restartable") is False:
        raise NemesisInvalid(f"--nemesis {KILL}: the target is declared to keep nothing over a restart")
    if options.profile == "cloud" and not options.credentials.roles:
        raise NemesisInvalid("--nemesis in the cloud profile needs --credentials FILE, best with the role operator")


@contextmanager
def _opened(text: str, options: Options) -> Iterator[Running]:
    running = open_target(text, start_seconds=options.start_seconds)
    try:
        yield running
    finally:
        running.close()


@dataclass
class _Run:
    """One run, from the first call to the last."""

    running: list[Running]
    ways: list[Proxy]
    """Between each of them and what is behind."""
    options: Options
    plan: Plan
    history: HistoryWriter
    run_id: str = field(default_factory=new_run_id)
    _grants: Grants | None = None
    _interrupted: bool = False

    def go(self, name: str) -> None:
        """Do all of it, and write it down."""
        random = chance(self.options.seed)
        session = self._session()
        keys = Keys(f"n-{self.run_id}", another(random))
        direct = [running.channel() for running in self.running]
        self._grants = guarded_agents(session, max(GUARDED_MIN, round(self.plan.seconds)), another(random))
        watching = session.cloud and session.offers("watch")
        self.history.note("run", self._header(name, session, watching=watching))
        live = Watcher(LIVE, direct, session.metadata(), self.history, another(random))
        events = watching and live.begin_now(self.options.deadline_seconds)
        began = live.position
        with proxies([running.address for running in self.running], random) as made:
            dead, reason = self._haunted(made, session, keys, random, live if events else None)
        ending: dict[str, Json] = {"complete": not reason, "reason": reason, "dead": dead}
        if self._interrupted:
            ending["leaks"] = self._leave(session)
        elif not dead:
            look = [
                self._client(session, keys, direct, random, number, direct=True) for number in range(self.plan.clients)
            ]
            replay = Watcher(REPLAY, direct, session.metadata(), self.history, chance(0), position=began)
            last_look(look, session, replay if events else None, self.options.event_seconds)
            ending["leaks"] = self._leave(session)
        self.history.note("end", ending)

    def _session(self) -> Session:
        client = TargetClient(self.running[0], self.running[0].channel(), self.options.deadline_seconds)
        session = Session("NEMESIS", client, first_context(self.options, self.run_id))
        served = probe(client, session.metadata(next(iter(session.context.roles), "")))
        features = decide(self.options.declaration, served)
        session.context = replace(session.context, features=features, served=served)
        session.context = found_context(session, self.options.credentials)
        return session

    def _header(self, name: str, session: Session, *, watching: bool) -> Json:
        return {
            "format": FORMAT,
            "run_id": self.run_id,
            "target": name,
            "addresses": len(self.running),
            "profile": session.context.profile,
            "seed": self.options.seed,
            "faults": list(self.plan.faults),
            "seconds": self.plan.seconds,
            "clients": self.plan.clients,
            "events": watching,
            "features": dict(session.context.features),
        }

    def _haunted(
        self, made: Sequence[Proxy], session: Session, keys: Keys, random: Random, live: Watcher | None
    ) -> tuple[str, str]:
        """Let the clients work under the faults; return why the target is dead, and why the run ends early."""
        ended = threading.Event()
        with ExitStack() as stack:
            channels = [self._channels(made, stack) for _ in range(self.plan.clients + 1)]
            clients = [
                self._client(session, keys, channels[number], random, number) for number in range(self.plan.clients)
            ]
            threads = [in_background(_working(client, ended), f"nemesis-{client.process}") for client in clients]
            if live is not None:
                live.channels = channels[-1]
                threads.append(in_background(live.run, "nemesis-live"))
            try:
                place = Field(made, self.running, another(random), threading.Event(), self.ways)
                haunt(place, self.plan.striking(), self.plan.seconds, self._noting())
                time.sleep(0 if place.dead else QUIET_SECONDS)
            except KeyboardInterrupt:
                self._interrupted = True
                for running in self.running:
                    running.hurry()
            finally:
                ended.set()
                if live is not None:
                    live.stop()
                for thread in threads:
                    thread.join(END_SECONDS)
        if self._interrupted:
            return place.dead, "interrupted: judged is what was done until then, without a last look"
        if any(thread.is_alive() for thread in threads):
            return place.dead, "a client's call didn't end in spite of its deadline"
        return place.dead, ""

    def _noting(self) -> Callable[[str, Json], None]:
        """Return what writes down of a fault, and says how far the run is."""
        began = time.monotonic()

        def note(name: str, what: Json) -> None:
            self.history.note(name, what)
            if self.options.progress is not None:
                self.options.progress(name, round(time.monotonic() - began), round(self.plan.seconds))

        return note

    def _channels(self, made: Sequence[Proxy], stack: ExitStack) -> list[grpc.Channel]:
        channels = [open_channel(proxy.address) for proxy in made]
        for channel in channels:
            stack.callback(channel.close)
        return channels

    def _client(
        self,
        session: Session,
        keys: Keys,
        channels: Sequence[grpc.Channel],
        random: Random,
        number: int,
        *,
        direct: bool = False,
    ) -> Client:
        """Return a client; one that calls directly is of the last look, and patient."""
        return Client(
            process=number + (1_000_000 if direct else 0),
            channels=channels,
            metadata=session.metadata(),
            org=session.org,
            keys=keys,
            history=self.history,
            random=another(random),
            seconds=self.options.deadline_seconds if direct else min(CALL_SECONDS, self.options.deadline_seconds),
            step=self.plan.clients,
            lists=session.offers("list"),
            grants=self._grants,
        )

    def _leave(self, session: Session) -> list[str]:
        """Delete what was made, and say what is still there."""
        try:
            return leave_context(session, {}, {})
        except TargetLost as error:
            return [f"what the run made may be left: {error}"]


def _working(client: Client, ended: threading.Event) -> Callable[[], None]:
    def work() -> None:
        while not ended.is_set():
            known = client.act()
            ended.wait(client.random.random() * (THINK_SECONDS if known else AFTER_UNKNOWN_SECONDS))

    return work
