"""A run as a whole: processes, merging, refusals; and the command line over it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import config as config_module
from benchmarks import runner
from benchmarks.build import BuildOutcome, BuildPlan
from benchmarks.claims import Made, load_claims
from benchmarks.cli import app
from benchmarks.config import ConfigError, Speed, StoresConfig
from benchmarks.payloads.payload import PayloadError
from benchmarks.results import (
    Conclusion,
    DurabilityProof,
    Environment,
    FsyncCost,
    Results,
    Subject,
    read_results,
    write_results,
)
from benchmarks.runner import BenchmarkFailed, Progress, run_stores
from benchmarks.unfinished import Unfinished
from benchmarks.workloads.workload import Sizes
from stores.contract import StoreError

TINY = Sizes(builds=2, agents=6, writes=4, reads=2, listed=3, visits=2, starts=1)


def tiny(tmp_path: Path) -> StoresConfig:
    return StoresConfig(
        tmp_path,
        Speed.QUICK,
        seed=3,
        payloads=("small",),
        workloads=("write",),
        durabilities=("relaxed",),
        languages=("python",),
        sizes=TINY,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, list[Progress]]:
    folder = tmp_path_factory.mktemp("finished")
    seen: list[Progress] = []
    results = run_stores(tiny(folder), seen.append)
    assert list(folder.iterdir()) == []
    return results, seen


def test_a_run_measures_judges_and_cleans_up(tmp_path: Path, finished: tuple[Results, list[Progress]]) -> None:
    results, seen = finished
    assert [(one.done, one.total) for one in (seen[0], seen[-1])] == [
        (1, seen[0].total),
        (seen[0].total, seen[0].total),
    ]
    assert {sample.build for sample in results.raw.samples} == {0, 1}
    assert results.raw.configuration.numbers["builds"] == 2
    python = [one for one in results.judgement.verdicts if one.baseline == Subject("sqlite", "json", "relaxed")]
    verdicts = {verdict.claim: verdict for verdict in python}
    assert verdicts["write-speed"].ratio is not None
    assert verdicts["write-speed"].reproduce == (
        "parity bench stores --quick --seed 3 --durability relaxed --payload small --language python --workload write"
    )
    assert verdicts["read-speed"].verdict is Conclusion.NOT_MEASURED
    assert {factor.name for factor in results.judgement.factors} == {"whole"}, "a quick run has no other combinations"
    write_results(results, tmp_path)
    assert read_results(tmp_path) == results


def test_durable_subjects_are_left_out_where_they_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(directory: Path) -> Environment:
        cost = FsyncCost(1.0, 1.0, 9)
        return Environment("now", "cpu", 2, 1, "L", "3", str(directory), "tmpfs", cost, 0.0, {}, "tmpfs is memory")

    monkeypatch.setattr(runner, "capture", forgetful)
    config = replace(tiny(tmp_path), durabilities=("durable", "relaxed"), sizes=replace(TINY, builds=1))
    results = run_stores(config)
    assert {sample.subject.durability for sample in results.raw.samples} == {"relaxed"}
    reasons = {one.reason for one in results.judgement.verdicts if one.durability == "durable"}
    assert reasons == {"tmpfs is memory"}


def test_every_durable_subject_is_proven_before_it_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def liar(subject: Subject, directory: Path) -> DurabilityProof:
        return DurabilityProof(subject, "strace", 20, 0, holds=subject.engine == "sqlite", note="0 syncs")

    monkeypatch.setattr(runner, "prove", liar)
    config = replace(tiny(tmp_path), durabilities=("durable",), sizes=replace(TINY, builds=1))
    results = run_stores(config)
    assert {proof.subject for proof in results.raw.durability} == set(config.subjects)
    writes = [one for one in results.judgement.verdicts if one.claim == "write-speed"]
    write = next(one for one in writes if not one.baseline.language)
    assert write.verdict is Conclusion.NOT_MEASURED
    assert write.reason == "leveldb+protobuf/durable: 0 syncs"


def test_extras_join_unless_the_run_is_quick_or_chose_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "_is_there", lambda engine: engine == "lmdb")
    names = {subject.name for subject in StoresConfig(tmp_path).subjects}
    usual = {"sqlite+json", "sqlite+protobuf", "leveldb+json", "leveldb+protobuf", "sqlite+json-orjson"}
    sides = {"go+sqlite+json", "go+badger+protobuf"}
    native = sides | {"go+sqlite+protobuf", "go+badger+json", "go+sqlite-modernc+json"}
    assert names == usual | native | {"lmdb+protobuf", "sqlite+json-format"}
    quick = {"sqlite+json", "leveldb+protobuf"} | sides
    assert {subject.name for subject in StoresConfig(tmp_path, Speed.QUICK).subjects} == quick
    assert {subject.name for subject in StoresConfig(tmp_path, languages=("go",)).subjects} == native
    assert {subject.name for subject in StoresConfig(tmp_path, engines=("lmdb",), codecs=("json",)).subjects} == {
        "lmdb+json"
    }


def test_a_quick_run_measures_the_headlines_and_what_differs_from_them_once(tmp_path: Path) -> None:
    made = {claim.made for claim in load_claims()}
    assert made == {Made("go", config_module.HEADLINE_MODE, config_module.HEADLINE_PAYLOAD)}
    quick = StoresConfig(tmp_path, Speed.QUICK)
    found = {payload: {one.durability for one in quick.subjects_with(payload)} for payload in quick.payloads}
    assert found == {"small": {"relaxed"}, "medium": {"durable", "relaxed"}, "large": {"relaxed"}}
    chosen = replace(quick, durabilities=("durable",), payloads=("small",))
    assert chosen.subjects_with("small") == chosen.subjects
    whole = StoresConfig(tmp_path)
    assert whole.subjects_with("medium") == whole.subjects
    assert {one.name for one in set(whole.subjects) - set(whole.subjects_with("small"))} == {"go+sqlite-modernc+json"}
    assert {one.durability for one in whole.subjects if one.engine == "sqlite-modernc"} == {"relaxed"}


def test_a_build_that_dies_is_named_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BUILD_DEADLINE_S", 0.05)
    with pytest.raises(BenchmarkFailed, match="build 1 with small agents ended with -9"):
        run_stores(tiny(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_that_can_not_be_read_is_an_error_before_anything_is_measured(tmp_path: Path) -> None:
    corpus = tmp_path / "agents.jsonl"
    corpus.write_text("{}\n")
    seen: list[Progress] = []
    with pytest.raises(PayloadError, match="line 1"):
        run_stores(replace(tiny(tmp_path), corpus=corpus), seen.append)
    assert seen == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"payloads": ("huge",)}, "unknown payload class 'huge'; choose from: small, medium, large"),
        ({"workloads": ()}, "no workload chosen"),
        ({"durabilities": ("eventually",)}, "unknown durability 'eventually'"),
        ({"engines": ()}, "no engine chosen"),
    ],
)
def test_a_senseless_run_is_refused(tmp_path: Path, change: dict[str, tuple[str, ...]], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        StoresConfig(directory=tmp_path, **change)  # type: ignore[arg-type]  # wrong on purpose


def test_an_unknown_engine_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unknown store 'oracle'"):
        run_stores(replace(tiny(tmp_path), engines=("oracle",)))


def test_the_command_repeats_the_run(tmp_path: Path) -> None:
    config = StoresConfig(tmp_path, Speed.FULL, seed=9, corpus=Path("my agents.jsonl"), engines=("lmdb", "sqlite"))
    assert config.command == (
        "parity bench stores --full --seed 9 --corpus 'my agents.jsonl' --engine lmdb --engine sqlite"
    )
    chosen = StoresConfig(tmp_path, pairs=("leveldb+json",), durabilities=("relaxed",), workloads=("read", "raw"))
    assert chosen.command == ("parity bench stores --seed 1 --pair leveldb+json --durability relaxed")


def test_pairs_stand_in_place_of_all_combinations(tmp_path: Path) -> None:
    config = StoresConfig(tmp_path, pairs=("sqlite+json-orjson", "badger+protobuf"), durabilities=("relaxed",))
    assert [(one.engine, one.codec) for one in config.subjects] == [("sqlite", "json-orjson"), ("badger", "protobuf")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--quick", "--full"], "exclude each other"),
        (["--payload", "huge"], "unknown payload class"),
        (["--engine", "oracle"], "unknown store 'oracle'"),
        (["--pair", "sqlite"], "write ENGINE+CODEC"),
        (["--pair", "sqlite+msgpack"], "is no pair"),
        (["--corpus", "nowhere.jsonl"], "check the path"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path: Path, arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["stores", "--out", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert says in result.output
    assert "Traceback" not in result.output


def test_the_command_line_prints_verdicts_and_writes_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: tuple[Results, list[Progress]]
) -> None:
    results, _ = finished
    monkeypatch.setattr(runner, "run_stores", lambda config, report: results)
    result = CliRunner().invoke(app, ["stores", "--quick", "--out", str(tmp_path), "--verbose"])
    assert result.exit_code == 0, result.output
    for words in ("Writes", "95 % interval", "10x to 50x", "not measured", "What a ratio is made of", "claims.json"):
        assert words in result.output
    assert read_results(tmp_path) == results


def test_a_child_says_everything_even_unbuffered() -> None:
    program = "from benchmarks.children.say import say; say(b'x' * 3_000_000)"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=True, timeout=60)
    assert len(done.stdout) == 3_000_000


def test_a_full_run_goes_on_where_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(tiny(tmp_path), speed=Speed.FULL)
    run_build, run = runner._run_build, list[int]()

    def interrupted_before(build: int) -> None:
        def run_or_stop(plan: BuildPlan, whole: BuildOutcome) -> Iterable[str]:
            if plan.build == build:
                raise KeyboardInterrupt
            run.append(plan.build)
            return run_build(plan, whole)

        monkeypatch.setattr(runner, "_run_build", run_or_stop)

    interrupted_before(1)
    with pytest.raises(KeyboardInterrupt):
        run_stores(config)
    with (tmp_path / "unfinished.jsonl").open("a", encoding="utf-8") as kept:
        kept.write('{"plan": "cut in the mid')
    interrupted_before(9)
    results = run_stores(config)
    assert run == [0, 1], "the first build was not measured again"
    assert {sample.build for sample in results.raw.samples} == {0, 1}
    assert any("1 builds were measured before" in note for note in results.raw.notes)
    assert list(tmp_path.iterdir()) == []


def test_builds_of_another_plan_or_of_long_ago_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = BuildPlan((), ("write",), "small", 0, 1, TINY, tmp_path)
    Unfinished(tmp_path).keep(plan, BuildOutcome())
    assert Unfinished(tmp_path).outcome_of(replace(plan, directory=tmp_path / "elsewhere")) is not None
    assert Unfinished(tmp_path).outcome_of(replace(plan, seed=2)) is None
    monkeypatch.setattr("benchmarks.unfinished._AGE_MAX_S", -1.0)
    assert Unfinished(tmp_path).outcome_of(plan) is None
