"""Reading run directories: every part alone, the whole, and what is damaged or mixed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.results import Results, write_results
from conformance.verdicts_file import write_verdicts
from reports.errors import RunUnreadable
from reports.read import read_run
from reports.tests import sample


@pytest.fixture
def copy(red_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(red_run, tmp_path / "copy"))


def test_a_whole_run_is_read(red_run: Path) -> None:
    run = read_run(red_run)
    assert [(one.store, one.profile) for one in run.judged] == [
        (store.replace("-", "+", 1), profile) for store in sample.STORES for profile in sample.PROFILES
    ]
    assert run.benchmarks is not None
    assert run.corpus is not None
    assert (run.corpus.name, run.corpus.renamed, len(run.corpus.round_trips)) == ("agents.jsonl", 3, 4)
    assert run.command == "parity verify --quick --corpus agents.jsonl"
    assert (run.started_at, run.finished_at) == (sample.STARTED, "2026-03-01T09:36:00.000Z")
    assert run.versions["agent-parity"] == "0.1.0"
    exchanges = run.judged[0].exchanges
    assert exchanges is not None
    assert exchanges[2].label == "second"


def test_requirements_are_repeated_with_the_command_of_the_manifest(red_run: Path) -> None:
    last = read_run(red_run).judged[6]
    assert last.command == "parity conform 'store:sqlite-protobuf' --profile cloud"
    assert last.report.of("CHECKDUP-1").reproduce == f"{last.command} --only CHECKDUP-1 --seed 7"


def test_one_judged_server_is_read(tmp_path: Path) -> None:
    sample.write_server(tmp_path, sample.report("x", "oss"), sample.exchanges())
    run = read_run(tmp_path)
    assert [one.name for one in run.judged] == ["unix:/run/parity.sock-oss"]
    assert run.command == "parity conform unix:/run/parity.sock --profile oss --seed 7"
    assert run.judged[0].report.results[0].reproduce == sample.catalogue("oss")[0].reproduce
    assert run.benchmarks is None
    assert run.machine == ""


def test_part_of_a_run_is_repeated_as_it_was_run(tmp_path: Path) -> None:
    whole = sample.report("x", "cloud")
    part = replace(whole, run=replace(whole.run, only=("DUP-*",), quick=True, strict=True))
    sample.write_server(tmp_path, part, sample.exchanges())
    told = read_run(tmp_path).command
    assert told.endswith(" --profile cloud --seed 7 --only 'DUP-*' --quick --strict --credentials FILE")


def test_verdicts_without_evidence_are_read(tmp_path: Path) -> None:
    write_verdicts(tmp_path / "verdicts.json", sample.report("x", "oss"))
    assert read_run(tmp_path).judged[0].exchanges is None


def test_benchmarks_alone_are_read(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path)
    run = read_run(tmp_path)
    assert run.benchmarks == results
    assert run.judged == ()
    assert run.command == "parity bench stores --quick --seed 1"
    assert run.started_at == results.raw.environment.captured_at
    assert run.corpus is not None
    assert run.corpus.kind == "corpus"


def test_a_suite_that_broke_off_is_named_where_the_manifest_says_so(copy: Path) -> None:
    folder = copy / "conformance" / "sqlite-protobuf-oss"
    (folder / "verdicts.json").unlink()
    with pytest.raises(RunUnreadable, match=r"sqlite-protobuf-oss/verdicts\.json: no such file"):
        read_run(copy)
    manifest = read_run(_restored(copy, folder)).manifest
    assert manifest is not None
    proofs = [
        {**{name: getattr(proof, name) for name in proof.__slots__}, "exit_code": 3 if "oss" in proof.profile else 0}
        for proof in manifest.conformance
    ]
    (folder / "verdicts.json").unlink()
    sample.rewrite(copy / "run.json", conformance=proofs)
    run = read_run(copy)
    assert [one.name for one in run.broken] == ["sqlite-protobuf-oss"]
    assert "exit code 3" in run.broken[0].reason
    assert len(run.judged) == 7


def _restored(copy: Path, folder: Path) -> Path:
    write_verdicts(folder / "verdicts.json", sample.report("sqlite-protobuf", "oss"))
    return copy


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "corpus.json",
        "benchmarks/results.json",
        "benchmarks/claims.json",
        "conformance/sqlite-protobuf-cloud/verdicts.json",
        "conformance/sqlite-protobuf-cloud/evidence.jsonl",
    ],
)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(copy: Path, name: str, kept: float) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(RunUnreadable) as caught:
        read_run(copy)
    assert str(copy / name) in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "corpus.json", "benchmarks/results.json"])
def test_another_format_is_refused(copy: Path, name: str) -> None:
    sample.rewrite(copy / name, format=2)
    with pytest.raises(RunUnreadable, match="format 2"):
        read_run(copy)


def test_files_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    sample.write_server(tmp_path, sample.report("x", "oss"))
    other = sample.report("y", "oss")
    write_verdicts(tmp_path / "verdicts.json", replace(other, run=replace(other.run, id="another")))
    with pytest.raises(RunUnreadable, match="evidence of run run-x-oss") as caught:
        read_run(tmp_path)
    assert "mixed" in caught.value.hint


def test_what_is_no_run_is_refused_with_a_hint(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunUnreadable) as caught:
            read_run(place)
        assert str(place) in str(caught.value)
        assert "--out" in caught.value.hint
