"""A server that strangers have filled, and the suite on it: `python -m tests.full_server` says how long it takes.

The strangers are in the very organization that the suite uses, and in another. Agents, default instances and policies
are made through the server, by several callers; the events of their later changes are put into its store.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import grpc

from conformance import samples
from conformance.methods import METHODS, Proto
from conformance.run_context import PROFILES, Profile, profile_named
from conformance.runner import Options, run
from conformance.verdict import Report
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.kinds import KINDS
from reference_server.audit import updated
from reference_server.clock import Clock
from reference_server.events.outbox import stage_event
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Store
from stores.registry import open_store
from tests.mutants.hosting import CREDENTIALS, identity, reference

AGENTS, POLICIES, EVENTS = 1_000, 5_000, 20_000
"""So much of strangers is there, at least, before the suite begins."""
CALLERS = 4
ORG, OTHER_ORG, ELSEWHERE = "acme", "globex", "initech"
MEMBERSHIPS = (("org_admin", "admin", ORG), ("org_member", "member", ORG), ("other_org_member", "member", OTHER_ORG))
STORE = "leveldb:{folder}/store?durability=relaxed"
AGENT = KINDS["agent"]
DEADLINE_SECONDS = 60.0
"""A list of a thousand, each row asked whether its caller may see it, is slow on a machine that is busy; that is no
finding."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the suite, and how long it took."""

    report: Report
    seconds: float


def options(profile: Profile, *, quick: bool = False, only: tuple[str, ...] = ()) -> Options:
    """Return how the suite is run: in the organization where the strangers are."""
    credentials = replace(CREDENTIALS, organization=ORG, other_organization=OTHER_ORG)
    return Options(
        profile=profile,
        only=only,
        quick=quick,
        jobs=CALLERS,
        credentials=credentials,
        deadline_seconds=DEADLINE_SECONDS,
    )


def fill(folder: Path, seed: int = 1, *, agents: int = AGENTS, events: int = EVENTS, padding: int = 0) -> str:
    """Make a full store in a folder; return its URL.

    Args:
        folder: where it goes.
        seed: decides the names, organizations and sizes.
        agents: how many agents; each brings an instance, five policies and two events.
        events: how many events at least; what the agents don't bring is spread over them as updates.
        padding: so many more characters of instructions for each agent.
    """
    url, random = STORE.format(folder=folder), Random(seed)
    wanted = [_stranger(random, number, padding) for number in range(agents)]
    with reference("cloud", store=url) as address, grpc.insecure_channel(address) as channel:
        for role, relation, org in MEMBERSHIPS:
            _call(
                channel,
                "policy.create",
                samples.policy(("identity_account", identity(role)), relation, ("organization", org)),
            )
        with ThreadPoolExecutor(CALLERS) as pool:
            made = list(pool.map(lambda request: _call(channel, "agent.create", request), wanted))
    with open_store(url) as store:
        _change(store, [each for each in made if isinstance(each, Agent)], max(0, events - store.count("event")))
    return url


def _stranger(random: Random, number: int, padding: int) -> Agent:
    """Return an agent whose name sorts otherwise than it was made."""
    name = f"{random.choice('abcdefghij')}-stranger-{random.getrandbits(32):08x}-{number}"
    agent = samples.full_agent(name, random.choice((ORG, ORG, ELSEWHERE)))
    agent.spec.description = "d" * random.randrange(200)
    agent.spec.instructions += " " + "i" * padding
    return agent


def _call(channel: grpc.Channel, name: str, request: Proto) -> Proto:
    method = METHODS[name]
    send = channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
    token = CREDENTIALS.roles["operator"].token
    answer: Proto = send(request, metadata=(("authorization", f"Bearer {token}"),), timeout=30)
    return answer


def _change(store: Store, agents: list[Agent], count: int) -> None:
    """Put so many `updated` events into the store, those of one agent in one commit."""
    clock = Clock()
    for number, agent in enumerate(agents):
        work = UnitOfWork(store)
        changed = Agent()
        changed.CopyFrom(agent)
        for _ in range(count // len(agents) + (number < count % len(agents))):
            updated(changed.status.audit, identity("operator"), work.instant.time())
            stage_event(work, clock, AGENT, agent.metadata.id, "updated", changed.SerializeToString())
        store.commit(work.batch())


@contextmanager
def served(url: str, profile: Profile) -> Iterator[str]:
    """Serve a filled store; yield the address."""
    with reference(profile, store=url) as address:
        yield address


def judged(url: str, asked: Options, out: Path | None = None) -> Run:
    """Run the suite on a server over a store."""
    with served(url, asked.profile) as address:
        began = time.monotonic()
        report = run(f"grpc://{address}", asked, out=out)
        return Run(report, time.monotonic() - began)


def counts(url: str) -> dict[str, int]:
    """Return how much of each kind a store holds."""
    with open_store(url) as store:
        return {kind: store.count(kind) for kind in ("agent", "agent_instance", "iam_policy", "event")}


def main() -> int:
    """Fill a store, run the suite on it and on an empty one, in both profiles; return 0 if nothing failed."""
    failed = 0
    with TemporaryDirectory(prefix="full-") as folder:
        began = time.monotonic()
        url = fill(Path(folder))
        _say(f"filled in {time.monotonic() - began:.1f} s: {counts(url)}")
        for profile, quick in ((profile_named(name), quick) for name in PROFILES for quick in (False, True)):
            empty = judged("memory:", options(profile, quick=quick))
            full = judged(url, options(profile, quick=quick))
            failed += full.report.exit_code != 0
            what = f"{profile}{' --quick' if quick else ''}"
            told = ", ".join(full.report.failing()) or "0 failures"
            measured = full.report.summary.measured
            _say(f"{what}: {full.seconds:.1f} s full, {empty.seconds:.1f} s empty; {measured} measured, {told}")
    return min(failed, 1)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    sys.exit(main())
