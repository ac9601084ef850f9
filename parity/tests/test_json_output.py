"""What programs read: nothing but JSON on standard output, with the fields that the guide names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from conformance.summary_json import diagnosis, summary
from parity.main import run
from parity.plan import LeftOut, Plan
from parity.verification import Outcome, Request
from parity.verify_json import verification_text
from reports.tests import sample
from reports.tests.sample import failing, report
from tests.second_server import start

GUIDE = (Path(__file__).parents[2] / "docs/guides/output.md").read_text(encoding="utf-8")


def documented(command: str) -> set[str]:
    """The fields that the guide's tables under a command's heading name."""
    (section,) = re.findall(rf"^## `{re.escape(command)}`\n(.*?)(?=^## |\Z)", GUIDE, re.DOTALL | re.MULTILINE)
    names = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE)
    return {name for row in names for name in re.findall(r"`(\w+)`", row)}


def fields(document: Any) -> set[str]:
    """All names of a document, but those of the counts by verdict."""
    if isinstance(document, Mapping):
        inner = [value for name, value in document.items() if name != "counts"]
        return set(document).union(*map(fields, inner))
    return set[str]().union(*map(fields, document)) if isinstance(document, list) else set()


def test_conform_and_diagnose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = start("oss", {})
    try:
        target = f"grpc://{server.address}"
        assert run(["conform", target, "--only", "DUP-*", "--out", str(tmp_path / "run"), "-o", "json"]) == 0
    finally:
        server.stop()
    told = json.loads(capsys.readouterr().out)
    assert (told["target"], told["conformant"], told["exit_code"], told["red"]) == (target, True, 0, [])
    assert [row["step"] for row in told["steps"]] == ["CheckDuplicate"]
    assert told["counts"]["PASS"] == told["measured"] > 0
    assert run(["diagnose", str(tmp_path / "run"), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["failures"] == 0
    assert run(["recheck", str(tmp_path / "run"), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["measured"] == told["measured"]


def test_an_error_is_no_json_and_goes_elsewhere(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (["conform", "grpc://x", "--only", "NONE"], ["diagnose", str(tmp_path)], ["recheck", str(tmp_path)]):
        assert run([*words, "-o", "json"]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert "error:" in told.err


def test_every_field_is_in_the_guide() -> None:
    red = report("sqlite", "cloud", failing())
    told = summary(red, Path("out"))
    assert told["exit_code"] == 1
    assert {row["verdict"] for row in told["red"]} == {"FAIL", "UNTESTABLE"}
    assert fields(json.loads(json.dumps(told))) == documented("parity conform TARGET -o json")
    assert set(diagnosis(red)) <= documented("parity conform TARGET -o json")


def test_verify(tmp_path: Path) -> None:
    from parity.tests.test_snapshots import proof

    red = proof("sqlite-protobuf", "cloud", report("sqlite", "cloud", failing()))
    plan = Plan((red.subject,), (LeftOut("rocksdb+protobuf", "rocksdict is not installed"),))
    request = Request("parity verify", tmp_path, plan, "quick", None, benchmarks=True)
    verdicts = sample.results().judgement.verdicts
    page = tmp_path / "report.html"
    told = json.loads(verification_text(request, Outcome((red,), None, None, 8.0), verdicts, page, exit_code=1))
    assert (told["conformant"], told["exit_code"], told["report"]) == (False, 1, str(page))
    assert told["conformance"][0]["failing"] == ["VALIDATE-3", "CHECKDUP-1"]
    assert told["conformance"][0]["should_not_met"] == ["VALIDATE-3"]
    assert told["left_out"] == [asdict(row) for row in plan.left_out]
    writes = next(row for row in told["claims"] if row["claim"] == "Writes")
    assert writes["ratio"]["low"] <= writes["ratio"]["value"] <= writes["ratio"]["high"]
    assert fields(told) == documented("parity verify -o json")
