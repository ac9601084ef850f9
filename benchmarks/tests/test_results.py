"""The result files: what is written is read back, and what is broken is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.results import (
    CLAIMS_FILE,
    RESULTS_FILE,
    Blank,
    ClaimVerdict,
    Conclusion,
    Configuration,
    DurabilityProof,
    Environment,
    Factor,
    FsyncCost,
    Interval,
    Judgement,
    PayloadClass,
    PayloadSource,
    Placement,
    Ratio,
    Raw,
    Results,
    ResultsError,
    Sample,
    Subject,
    Summary,
    read_results,
    write_results,
)

OLD = Subject("sqlite", "json-orjson", "durable")
NEW = Subject("leveldb", "protobuf", "durable")


def whole_run() -> Results:
    interval = Interval(2.1, 2.9, 0.95)
    ratio = Ratio(2.5, interval)
    environment = Environment(
        "2026-01-01T00:00:00Z", "cpu", 2, 1 << 34, "Linux", "3.11", "/data", "ext4", FsyncCost(150.0, 201.5, 50), 0.25,
        {"orjson": "3"},
    )  # fmt: skip
    source = PayloadSource(
        "corpus", "agents.jsonl", 9, 8, 1, ("line 3: no slug",), (PayloadClass("small", 8, 1, 2, 3),)
    )
    configuration = Configuration("stores", "quick", 7, "parity", (OLD, NEW), ("write",), source, {"builds": 5})
    raw = Raw(
        environment,
        configuration,
        (Sample("write", "write", "us", NEW, "small", 0, 1, (1.5, 2.25)),),
        (Blank("write", OLD, "small", "wrong answer"),),
        (DurabilityProof(NEW, "strace", 20, 20, holds=True, note=""),),
        ("a note",),
        1.5,
    )
    verdict = ClaimVerdict(
        "write-speed", "writes", "Faster.", "write", OLD, NEW, "durable", "small", "times", 10.0, 50.0, ratio,
        Placement.BELOW, Conclusion.CONTRADICTED, "the whole interval lies below 10x", "parity bench stores --quick",
    )  # fmt: skip
    judgement = Judgement(
        (Summary("write", "write", "us", NEW, "small", 5, 10, 1.0, interval, 2.0, 3.0, 4.0),),
        (Factor("codec", "write", "small", "durable", "json to protobuf", ratio),),
        (verdict, replace(verdict, ratio=None, placement=None, at_most=None, verdict=Conclusion.NOT_MEASURED)),
    )
    return Results(raw, judgement)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = whole_run()
    write_results(run, tmp_path / "run")
    assert read_results(tmp_path / "run") == run


def test_labels_name_the_whole_subject() -> None:
    assert NEW.label == "leveldb+protobuf/durable"
    assert Subject("leveldb", "protobuf", "relaxed", "oss").label == "leveldb+protobuf+oss/relaxed"
    assert whole_run().judgement.verdicts[0].id == "write-speed/durable/small"


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        (RESULTS_FILE, lambda data: data[: len(data) // 2], "not a result file"),
        (CLAIMS_FILE, lambda data: data.replace(b'"format": 1', b'"format": 2'), "format 2"),
        (CLAIMS_FILE, lambda data: data.replace(b'"contradicted"', b'"perhaps"'), "verdicts.0.verdict"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, file: str, change: object, says: str) -> None:
    assert callable(change)
    write_results(whole_run(), tmp_path)
    path = tmp_path / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ResultsError, match=says) as caught:
        read_results(tmp_path)
    assert str(path) in str(caught.value)


def test_a_missing_or_unwritable_directory_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="name the directory that --out of bench made"):
        read_results(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="choose another --out"):
        write_results(whole_run(), tmp_path / "file")
