"""`parity upgrade`: what either build wrote is whole under the other; what isn't is told, once, where it shows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from conformance.credentials import read_credentials
from conformance.ledger import Ledger
from conformance.session import Session
from conformance.upgrade import UpgradeOptions, _Trial, upgrade
from conformance.verdict import EXIT_INCOMPLETE, EXIT_NOT_CONFORMANT, EXIT_USAGE
from parity.main import run as parity
from parity.reference import Reference
from tests.mutants.hosting import CREDENTIALS, TOKENS, identity
from tests.second_server import RunningServer, start
from tests.second_server.state import State
from tests.third_server import hosting

AGENTS = 8
Change = Callable[[State, Ledger], None]


def asking(server: RunningServer, number: int) -> AbstractContextManager[Session]:
    """A session of one stage with a server that runs already."""
    options = UpgradeOptions(
        profile="cloud", credentials=CREDENTIALS, agents=AGENTS, event_seconds=0.5, deadline_seconds=2
    )
    return _Trial({"old": f"grpc://{server.address}"}, options, "0123abcd")._session("old", number)


def instance_lost(state: State, ledger: Ledger) -> None:
    state.resources["agent_instance"].pop(next(one for kind, one in ledger.kept if kind == "instance"))


def all_lost(state: State, ledger: Ledger) -> None:
    for rows in state.resources.values():
        rows.clear()


def description_lost(state: State, ledger: Ledger) -> None:
    agent = next(iter(state.resources["agent"].values()))
    agent.spec.ClearField("description")


def brought_back(state: State, ledger: Ledger) -> None:
    agent_id = next(one for kind, one in sorted(ledger.gone) if kind == "agent")
    agent = type(next(iter(state.resources["agent"].values())))()
    agent.metadata.id, agent.metadata.org, agent.metadata.name = agent_id, "somewhere", "back"
    state.resources["agent"][agent_id] = agent


def reordered(state: State, ledger: Ledger) -> None:
    state.resources["agent"] = dict(reversed(state.resources["agent"].items()))


def foreign_instance(state: State, ledger: Ledger) -> None:
    row = next(iter(state.resources["agent_instance"].values()))
    other = type(row)()
    other.CopyFrom(row)
    other.metadata.id = "ain-from-nowhere"
    state.resources["agent_instance"]["ain-from-nowhere"] = other


def events_forgotten(state: State, ledger: Ledger) -> None:
    state.events.clear()


def events_again(state: State, ledger: Ledger) -> None:
    state.events.extend(state.events[:])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (instance_lost, "lost: instance ain-"),
        (all_lost, "all of it is lost"),
        (description_lost, "spec.description differs: "),
        (brought_back, "deleted before, and there again: agent agt-"),
        (reordered, "the list of agents is wrong: in another order"),
        (foreign_instance, "other instances are listed of agents: agt-"),
        (events_forgotten, "no event came any more"),
        (events_again, "events came again"),
    ],
)
def test_what_a_build_does_to_another_s_data_is_told_once(change: Change, told: str) -> None:
    server = start("cloud", TOKENS, identity("operator"))
    ledger = Ledger()
    try:
        with asking(server, 0) as session:
            ledger.load(session, AGENTS)
        with asking(server, 1) as session:
            assert ledger.look(session) == ()
            ledger.change(session, AGENTS)
        change(server.state, ledger)
        with asking(server, 2) as session:
            found = ledger.look(session)
            assert [one for one in found if told in one], found
            again = ledger.look(session) if change is description_lost else ()
        assert again == ()
    finally:
        server.stop()


def test_a_build_that_forgets_and_one_that_does_not_start(tmp_path: Path) -> None:
    forgets = f"cmd:{sys.executable} -m tests.second_server.server --port {{port}} --journal {{data}}/journal"
    found = upgrade(forgets, "cmd:false {port}", UpgradeOptions(agents=AGENTS, judged=False))
    assert [stage.build for stage in found.stages] == ["old", "old", "new"]
    assert any(one.startswith("the old build again: lost: instance ain-") for one in found.problems)
    assert "it doesn't start over this data: the command ended with code 1" in found.problems[-1]


def test_a_build_that_keeps_nothing_is_no_failed_upgrade(capsys: pytest.CaptureFixture[str]) -> None:
    if reason := hosting.unavailable():
        pytest.skip(reason)
    code = parity(("upgrade", hosting.target(), hosting.target(), "--no-suite"))
    assert code == EXIT_INCOMPLETE
    assert "keeps nothing over its own restart" in " ".join(capsys.readouterr().out.split())


def test_only_commands_can_be_upgraded(capsys: pytest.CaptureFixture[str]) -> None:
    assert parity(("upgrade", "grpc://127.0.0.1:1", "cmd:true {port}")) == EXIT_USAGE
    assert "write cmd:COMMAND" in capsys.readouterr().err
    assert parity(("upgrade", "cmd:true {port}", "cmd:true {port}", "--profile", "cloud")) == EXIT_USAGE
    assert "the role operator" in capsys.readouterr().err


def serving(store: str, place: Path) -> tuple[str, UpgradeOptions]:
    """The reference over a store in the data folder, as an operator sees it."""
    reference = Reference("memory:", "cloud", place, place)
    reference.prepare()
    words = f"--profile cloud --tokens {reference.tokens} --listen 127.0.0.1:{{port}}"
    options = UpgradeOptions(
        profile="cloud", credentials=read_credentials(reference.credentials), agents=AGENTS, jobs=4, judged=False
    )
    return f"cmd:{sys.executable} -m parity.main serve --store {store} {words}", options


@pytest.mark.full
def test_events_go_on_and_all_is_whole_between_two_ways_of_the_reference(tmp_path: Path) -> None:
    old, options = serving("sqlite:{data}/db?codec=protobuf", tmp_path)
    found = upgrade(old, f"{old} --fast-paths off", options)
    assert (found.problems, found.untestable) == ((), "")
    assert len(found.stages) == 5


def test_another_codec_refuses_the_data_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    serve = f"cmd:{sys.executable} -m parity.main serve --listen 127.0.0.1:{{port}} --store leveldb:{{data}}/db"
    old, new = (f"{serve}?codec={codec}" for codec in ("protobuf", "json-orjson"))
    assert parity(("upgrade", old, new, "--no-suite", "--agents", str(AGENTS))) == EXIT_NOT_CONFORMANT
    printed = capsys.readouterr().out
    assert "it doesn't start over this data" in printed
    assert "codec" in printed


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["leveldb", "sqlite"])
def test_the_suite_judges_both_over_the_other_s_data(engine: str, tmp_path: Path) -> None:
    old, options = serving(f"{engine}:{{data}}/db?codec=protobuf", tmp_path)
    new = f"{old} --fast-paths off"
    whole = UpgradeOptions(profile="cloud", credentials=options.credentials, agents=AGENTS, jobs=4)
    found = upgrade(old, new, whole)
    assert found.problems == ()
    assert len(found.stages) == 7
