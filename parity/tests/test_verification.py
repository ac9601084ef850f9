"""`parity verify` and its parts: the plan, the exit code, the folder, the command from end to end."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from conformance.verdicts_file import write_verdicts
from parity import plan, run_folder, verification, verify_tables
from parity.corpus import RoundTrip
from parity.corpus_proof import CorpusProof
from parity.main import run
from parity.measurement import Measurement
from parity.plan import JudgedStore, choose, make_plan
from parity.problems import Problem
from parity.proof import Proof
from parity.tests.proofs import MEMORY, proof, report, verify_source
from stores import registry

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
