"""`parity verify` and its parts: the plan, the proofs, the corpus, what is printed, and the exit code."""

from __future__ import annotations

import io
import json
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.results import PayloadSource
from conformance.verdict import CREATE_STEPS, Level, Report, Result, RunInfo, Verdict
from conformance.verdicts_file import write_verdicts
from parity import plan, reference, run_folder, verification, verify_tables
from parity.corpus import RoundTrip, difference, send_all
from parity.corpus_proof import CorpusProof
from parity.main import run
from parity.measurement import Measurement
from parity.plan import JudgedStore, LeftOut, choose, make_plan
from parity.problems import Problem
from parity.proof import Proof, seconds_left
from parity.reference import Reference, with_path
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.enum_pb2 import platform
from stores import registry
from tests.second_server.server import RunningServer, start

MEMORY = JudgedStore("memory", "", "oss")


def report(**verdicts: Verdict) -> Report:
    """A report with one requirement per step, all passed but those named."""
    results = tuple(
        Result(step, Level.MUST, ("oss",), "create", step, "s", "src", "c", verdicts.get(step, Verdict.PASS))
        for step in CREATE_STEPS
    )
    info = RunInfo("id", "target", "oss", 0, "rev", "hash", {}, {}, (), "2026-01-01T00:00:00Z")
    return Report(info, results)


def proof(exit_code: int = 0, made: Report | None = None, subject: JudgedStore = MEMORY) -> Proof:
    return Proof(subject, Path("out/conformance/x"), "parity conform x", exit_code, 1.5, made or report())


def shown(table: object) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# The plan


def test_every_store_is_planned_in_both_profiles() -> None:
    made = make_plan(plan.STORES)
    planned = {(subject.store, subject.profile) for subject in made.subjects}
    assert planned == {(store, profile) for store in made.stores for profile in ("cloud", "oss")}
    named = {f"{scheme}+{codec}" for scheme, codec in plan.STORES}
    assert set(made.stores) | {row.store for row in made.left_out} == named


def test_a_quick_verification_covers_every_embedded_engine() -> None:
    assert [scheme for scheme, _ in plan.QUICK_STORES] == list(dict.fromkeys(scheme for scheme, _ in plan.STORES))
    assert {scheme for scheme, _ in plan.FULL_STORES} - {scheme for scheme, _ in plan.QUICK_STORES} == {"memory"}


def test_stores_are_chosen_by_engine_or_with_their_codec() -> None:
    assert choose(["sqlite+protobuf", "leveldb", "sqlite"]) == (
        ("sqlite", "protobuf"),
        ("leveldb", "protobuf"),
        ("leveldb", "json-orjson"),
        ("sqlite", "json-orjson"),
    )
    for wrong in ("postgres", "sqlite+xml", ""):
        with pytest.raises(Problem, match="unknown") as refused:
            choose(["sqlite", wrong])
        assert "leveldb+protobuf" in refused.value.hint


def test_a_long_verification_covers_every_scheme() -> None:
    embedded = {scheme.name for scheme in registry.SCHEMES}
    assert {scheme for scheme, _ in plan.FULL_STORES} == embedded
    made = make_plan(plan.FULL_STORES)
    assert {subject.scheme for subject in made.subjects} | {
        row.store.split("+")[0] for row in made.left_out
    } == embedded


def test_a_missing_driver_leaves_its_stores_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "plyvel" else object())
    made = make_plan(plan.STORES)
    assert "leveldb" not in {subject.scheme for subject in made.subjects}
    left_out = [row for row in made.left_out if "plyvel" in row.reason]
    assert [row.store for row in left_out] == ["leveldb+protobuf", "leveldb+json-orjson"]


def test_store_urls_are_ones_that_the_registry_opens(tmp_path: Path) -> None:
    for subject in make_plan(plan.FULL_STORES).subjects:
        with registry.open_store(subject.url(tmp_path), create=True) as store:
            assert store.capabilities.engine == subject.scheme
            assert subject.codec in {"", store.capabilities.codec}


# Credentials of a run


def test_credentials_are_new_private_and_forgotten(tmp_path: Path) -> None:
    made = Reference("memory:", "cloud", tmp_path / "secrets", tmp_path / "logs")
    made.prepare()
    tokens = {row["id"]: row["token"] for row in tomllib.loads(made.tokens.read_text())["callers"]}
    roles = tomllib.loads(made.credentials.read_text())["roles"]
    assert {row["id"]: row["token"] for row in roles.values()} == tokens
    assert len(set(tokens.values())) == len(reference.ROLES)
    assert min(map(len, tokens.values())) > 72, "a server that looks at the first 72 bytes only must show it"
    assert stat.S_IMODE(made.tokens.stat().st_mode) == stat.S_IMODE(made.credentials.stat().st_mode) == 0o600
    before = made.credentials.read_text()
    made.prepare()
    assert made.credentials.read_text() != before
    made.forget()
    assert not made.tokens.exists()
    assert not made.credentials.exists()


def test_roles_are_those_of_the_suite() -> None:
    from conformance.credentials import ROLES

    assert reference.ROLES == ROLES


def test_a_server_that_does_not_start_is_explained(tmp_path: Path) -> None:
    broken = Reference(f"sqlite:{tmp_path / 'no' / 'such' / 'folder' / 'x.db'}", "oss", tmp_path / "s", tmp_path / "l")
    (tmp_path / "no").write_text("a file where a folder is needed")
    broken.prepare()
    with pytest.raises(Problem, match="did not start") as refused, broken.started():
        pass
    assert str(broken.log) in refused.value.hint


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("leveldb:", "leveldb:/new/store"),
        ("sqlite:?codec=protobuf", "sqlite:/new/store?codec=protobuf"),
        ("leveldb:kept", "leveldb:kept"),
        ("memory:", "memory:"),
    ],
)
def test_a_url_without_a_path_is_a_new_store(url: str, whole: str) -> None:
    assert with_path(url, Path("/new/store")) == whole


def test_the_suite_tells_the_last_words_of_a_server_over_a_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(["conform", f"store:leveldb:{tmp_path / 'file' / 'db'}", "--profile", "oss", "--quick"]) == 3
    assert f"{tmp_path / 'file'}" in capsys.readouterr().out.replace("\n", "")


# A corpus through a server


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    running = start("oss", {})
    yield running
    running.stop()


def agent(name: str, **spec: str) -> Agent:
    made = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
    made.metadata.name = name
    made.metadata.owner_scope = platform
    made.spec.instructions = spec.get("instructions", "Be of help to people.")
    return made


def test_agents_that_come_back_equal_and_one_that_is_refused(server: RunningServer) -> None:
    agents = [agent("One"), agent("Two", instructions="Zwei für alle 🎯"), agent("Bad", instructions="short")]
    first, second, third = send_all(server.address, agents)
    assert (first, second) == (None, None)
    assert third is not None
    assert third.startswith("Bad: INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda made: made.spec.ClearField("instructions"), "spec differs"),
        (lambda made: made.metadata.labels.update(a="b"), "metadata differs"),
        (lambda made: made.metadata.ClearField("id"), "missing"),
        (lambda made: made.status.ClearField("default_instance_id"), "missing"),
    ],
)
def test_a_changed_agent_is_noticed(change: object, sentence: str) -> None:
    sent = agent("Sent")
    made = agent("Sent")
    made.metadata.id, made.metadata.slug, made.status.default_instance_id = "agt-1", "sent", "ain-1"
    assert difference(sent, made, made) == ""
    assert callable(change)
    change(made)
    assert sentence in difference(sent, made, made)


def test_get_that_answers_something_else_is_noticed() -> None:
    assert "get answers" in difference(agent("A"), agent("A"), agent("B"))


# The exit code


@pytest.mark.parametrize(
    ("codes", "equal", "measured", "expected"),
    [
        ((0, 0), None, None, 0),
        ((0, 0), True, 0, 0),
        ((0, 1), True, 0, 1),
        ((0, 0), False, 0, 1),
        ((1, 4), None, None, 4),
        ((0, 3), None, None, 3),
        ((0,), None, 1, 3),
        ((), None, None, 3),
    ],
)
def test_exit_code(codes: tuple[int, ...], equal: bool | None, measured: int | None, expected: int) -> None:
    round_trip = RoundTrip("s", 1, int(bool(equal)), () if equal else ("x",), 0.1)
    source = verify_source()
    found = None if equal is None else CorpusProof(Path("c.jsonl"), source, (round_trip,))
    measurement = None if measured is None else Measurement("parity bench stores", measured, 1.0)
    outcome = verification.Outcome(tuple(proof(code) for code in codes), found, measurement, 1.0)
    assert outcome.exit_code == expected


def verify_source() -> PayloadSource:
    return PayloadSource("corpus", "c.jsonl", 14, 2, 0, tuple(f"line {n}" for n in range(12)), ())


# What is printed


def test_the_time_left_counts_what_runs_at_once_and_each_profile_for_itself() -> None:
    subjects = tuple(JudgedStore("memory", "", profile) for profile in ("oss", "cloud", "oss", "cloud"))
    oss, cloud = (
        replace(proof(subject=one), seconds=seconds) for one, seconds in zip(subjects, (10, 50), strict=False)
    )
    assert seconds_left([oss], subjects, 10.0) == (10 + 20 + 10 + 20) / 2 - 10.0
    assert seconds_left([oss, cloud], subjects, 50.0) == (10 + 50 + 10 + 50) / 2 - 50.0
    assert seconds_left([oss, cloud], subjects, 100.0) == 0.0


def test_steps_table_shows_each_profile_of_each_store() -> None:
    cloud = JudgedStore("memory", "", "cloud")
    text = shown(
        verify_tables.steps_table(
            [proof(1, report(Persist=Verdict.FAIL), cloud), proof(0, report(Authorize=Verdict.NOT_APPLICABLE))]
        )
    )
    row = {line.split()[2]: line for line in text.splitlines() if "│" in line and len(line.split()) > 3}
    assert "FAIL  pass" in row["Persist"]
    assert "pass  n/a" in row["Authorize"]
    assert [step for step in CREATE_STEPS if step not in text] == []


def test_a_proof_without_verdicts_is_not_run_and_says_why() -> None:
    broken = Proof(MEMORY, Path("f"), "parity conform x", 3, 0.1, None, "the target is gone")
    assert "NOT RUN" in shown(verify_tables.steps_table([broken]))
    assert "incomplete" in shown(verify_tables.proofs_table([broken]))
    assert "the target is gone" in verify_tables.failure_lines([broken])[0]


def test_failures_are_named_with_their_command_and_many_are_cut_short() -> None:
    failed = report(**dict.fromkeys(CREATE_STEPS, Verdict.FAIL))
    first, command, folder = verify_tables.failure_lines([proof(1, failed), proof(0)])
    assert first.endswith("and 2 more")
    assert CREATE_STEPS[0] in first
    assert command.strip() == "parity conform x"
    assert "out/conformance/x" in folder


def test_a_should_that_is_not_met_is_told_though_it_does_not_count() -> None:
    made = report(Persist=Verdict.FAIL)
    results = tuple(
        Result(**{**{name: getattr(row, name) for name in row.__slots__}, "level": Level.SHOULD})
        if row.verdict is Verdict.FAIL
        else row
        for row in made.results
    )
    lines = verify_tables.recommendation_lines([proof(0, Report(made.run, results))])
    assert lines == ["SHOULD, not met: Persist (s): memory oss"]


def test_corpus_lines_name_and_count() -> None:
    trip = RoundTrip("memory", 2, 1, ("Agent X: spec differs",), 0.5)
    lines = verify_tables.corpus_lines(CorpusProof(Path("c.jsonl"), verify_source(), (trip,)))
    assert lines[0] == "Corpus c.jsonl: 14 records, 2 agents, 12 left out"
    assert sum("left out: line" in line for line in lines) == verify_tables.NAMED_MAX
    assert "and 2 more" in lines[verify_tables.NAMED_MAX + 1]
    assert "Agent X" in lines[-1]
    assert verify_tables.left_out_lines([LeftOut("leveldb", "no driver")]) == ["Left out: leveldb: no driver"]


# The folder and the command


def test_a_verification_that_is_interrupted_leaves_a_folder_that_a_page_can_be_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oss, cloud = MEMORY, JudgedStore("memory", "", "cloud")
    for subject in (oss, cloud):
        (tmp_path / "conformance" / subject.label).mkdir(parents=True)
    write_verdicts(tmp_path / "conformance" / oss.label / "verdicts.json", report())

    def until_interrupted(*_: object, **__: object) -> Iterator[Proof]:
        yield Proof(oss, tmp_path / "conformance" / oss.label, "parity conform x", 0, 1.5, report())
        raise KeyboardInterrupt

    monkeypatch.setattr(verification, "prove_all", until_interrupted)
    request = verification.Request(
        "parity verify", tmp_path, plan.Plan((cloud, oss), ()), "quick", None, benchmarks=True
    )
    outcome = verification.run_stages(request, Console(file=io.StringIO()))
    assert (outcome.interrupted, outcome.exit_code, [one.subject for one in outcome.proofs]) == (True, 130, [oss])
    assert verify_tables.interrupted_lines(outcome, tmp_path)[0].endswith("finished: memory oss")
    assert (tmp_path / "unfinished" / cloud.label).is_dir()
    assert [row["profile"] for row in json.loads((tmp_path / "run.json").read_text())["conformance"]] == ["oss"]
    assert [path.name for path in (tmp_path / "conformance").iterdir()] == [oss.label]


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(Problem, match="not empty"):
        run_folder.make_directory(tmp_path)
    with pytest.raises(Problem, match="is a file"):
        run_folder.make_directory(tmp_path / "something")


def test_latest_leads_to_the_newest_run(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run_folder.point_latest_at(run_folder.make_directory(tmp_path / name))
    assert (tmp_path / "latest").resolve() == tmp_path / "two"


@pytest.mark.parametrize(
    "arguments", [("--quick", "--full"), ("--corpus", "/no/such/file.jsonl"), ("--out", "/dev/null"), ("--stores", "x")]
)
def test_what_makes_no_sense_is_refused_at_once(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("profiles", [("oss",), pytest.param(("cloud", "oss"), marks=pytest.mark.full)])
def test_verify_from_end_to_end(
    profiles: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The real thing over one store: suite, corpus, report, record, exit code."""
    monkeypatch.setattr(plan, "PROFILES", profiles)
    records = [
        {"name": "Real One", "instructions": "Help with everything.", "source": "test"},
        {"name": "日本語", "instructions": "Nothing to make a slug of.", "source": "test"},
    ]
    file = tmp_path / "corpus.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    out = tmp_path / "run"
    code = run(
        [
            "verify",
            "--quick",
            "--no-benchmarks",
            "--stores",
            "sqlite+protobuf",
            "--corpus",
            str(file),
            "--out",
            str(out),
        ]
    )
    printed = capsys.readouterr().out
    assert code == 0, printed
    assert "Verdict: conformant" in printed
    assert "1 of 1 came back equal" in printed
    assert "日本語" in printed
    record = json.loads((out / "run.json").read_text())
    assert [row["exit_code"] for row in record["conformance"]] == [0] * len(profiles)
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    expected = {"corpus.json", "report.html", "report.md", "junit.xml"} | {
        f"conformance/sqlite-protobuf-{profile}/{name}"
        for profile in profiles
        for name in ("evidence.jsonl", "verdicts.json", "server.log")
    }
    assert expected - found == set()
    assert not [name for name in found if "token" in name or "credential" in name]
    assert (tmp_path / "latest").resolve() == out


def test_conform_over_a_store_in_a_child_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["conform", "store:memory:", "--profile", "cloud", "--only", "AUTH-*"]) == 0
    assert "conformant" in capsys.readouterr().out
    assert run(["conform", "store:nonsense:"]) == 2
    assert "unknown store" in capsys.readouterr().err
    assert run(["conform", "store:memory:", "--profile", "other"]) == 2
    assert run(["conform", "store:memory:", "--credentials", "/some/file"]) == 2
    assert "makes no sense" in capsys.readouterr().err
