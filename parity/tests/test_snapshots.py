"""What commands print on terminals of 40, 80 and 120 columns, held against files; `PARITY_SNAPSHOTS=write` writes them.

The runs are planted, so that a snapshot shows layout and words and no measurement of the day.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.choice import Use, rank
from benchmarks.choice_tables import render_ranking
from benchmarks.results import write_results
from benchmarks.tests.test_choice import measured
from conformance.diagnose_cli import diagnose
from conformance.nemesis.bites import Bite
from conformance.nemesis.judge import NemesisReport, Row
from conformance.nemesis.printing import print_nemesis
from conformance.printing import print_report
from conformance.verdict import Report, Verdict
from parity import verify_cli
from parity.main import run
from parity.plan import JudgedStore, LeftOut, Plan
from parity.proof import Proof
from parity.run_folder import BENCHMARKS_FOLDER
from parity.verification import Outcome, Request
from reports.tests import sample
from stores.integrity.cli import print_findings
from stores.integrity.findings import Finding
from stores.salvage.cli import print_salvage
from stores.salvage.pile import Loss
from stores.salvage.salvage import Salvage
from stores.salvage.versions import Area, Place
from stores.suite.measure import GroupGain, Listing, Overhead
from stores.suite.measure_cli import print_measurements

SNAPSHOTS = Path(__file__).parent / "terminal"
COLUMNS = (40, 80, 120)
Show = Callable[[], str]


@pytest.fixture(params=COLUMNS)
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> int:
    del capsys  # it replaces standard output, so it comes first
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    return int(request.param)


def hold(name: str, columns: int, shown: str) -> None:
    """Compare a text with its snapshot: no wider than the terminal but for what is to be copied, and nothing cut."""
    text = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).splitlines()) + "\n"
    wide = [line for line in text.splitlines() if len(line) > columns]
    assert not [line for line in wide if not re.match(r"( *parity |Report: |  its folder: )", line)]
    assert not re.search(r"\w…", text)
    file = SNAPSHOTS / f"{name}-{columns}.txt"
    if os.environ.get("PARITY_SNAPSHOTS") == "write":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def said(print_on: Callable[[Console], None]) -> str:
    """What is printed on a terminal."""
    terminal = io.StringIO()
    print_on(Console(file=terminal, force_terminal=True, emoji=False))
    return terminal.getvalue()


def of_suite(report: Report) -> str:
    return said(lambda console: print_report(console, report, Path("out")))


RED = sample.report("sqlite", "cloud", sample.failing())
ONLY = replace(RED, results=tuple(row for row in RED.results if row.step == "CheckDuplicate"))


@pytest.mark.parametrize(
    ("name", "report"),
    [("conform-green", sample.report("sqlite", "oss")), ("conform-red", RED), ("conform-only", ONLY)],
)
def test_conform(name: str, report: Report, columns: int) -> None:
    hold(name, columns, of_suite(report))


def test_a_table_has_no_steps_that_were_not_asked_for() -> None:
    shown = of_suite(ONLY)
    assert "CheckDuplicate" in shown
    assert "SetDefaults" not in shown
    elsewhere = replace(RED, results=tuple(row for row in RED.results if not row.step))
    assert "profile cloud" not in of_suite(elsewhere)


def test_diagnose(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("conformance.diagnose_cli.recheck", lambda _: RED)
    monkeypatch.setenv("FORCE_COLOR", "1")
    diagnose(Path("out"))
    hold("diagnose", columns, capsys.readouterr().out)


def proof(store: str, profile: str, report: Report) -> Proof:
    scheme, _, codec = store.partition("-")
    folder = Path("out/conformance") / f"{store}-{profile}"
    subject = JudgedStore(scheme, codec, profile)
    return Proof(subject, folder, f"parity conform store:{scheme}: --profile {profile}", report.exit_code, 9.5, report)


@pytest.mark.parametrize("red", [False, True])
def test_verify(
    red: bool, columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stores = (*sample.STORES, "lmdb-protobuf")
    failing = {("sqlite-protobuf", "cloud"): sample.failing()} if red else {}
    proofs = tuple(
        proof(store, profile, sample.report(store, profile, failing.get((store, profile))))
        for store in stores
        for profile in sample.PROFILES
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORCE_COLOR", "1")
    write_results(sample.results(), tmp_path / BENCHMARKS_FOLDER)
    plan = Plan(tuple(one.subject for one in proofs), (LeftOut("rocksdb+protobuf", "rocksdict is not installed"),))
    request = Request("parity verify", Path(), plan, "quick", None, benchmarks=True)
    verify_cli._print(request, Outcome(proofs, None, None, 83.0), Path("report.html"))
    hold(f"verify-{'red' if red else 'green'}", columns, capsys.readouterr().out)


def test_compare(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sample.write_server(Path("one"), sample.report("sqlite", "cloud"))
    sample.write_server(Path("two"), RED)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(["compare", "one", "two"]) == 0
    hold("compare", columns, capsys.readouterr().out)


def test_choose(columns: int) -> None:
    use = Use(7_000, 0.9, 1_000, durable=True)
    ranking = render_ranking(rank(measured(use, 0.01), use))
    hold("choose", columns, said(lambda console: console.print(ranking)))


def test_stores_measure(columns: int) -> None:
    cost, gain = Overhead(9.9, 21.3, 4.2, 6.0, 2.1), GroupGain(812.0, 9_841.0)
    hold(
        "stores-measure",
        columns,
        said(lambda console: print_measurements(console, cost, gain, Listing(100, 1.42, 1.51), 20_000)),
    )


def test_stores_verify(columns: int) -> None:
    agent = "agt-01jq8m3v9k2x7c5d4b6n1p0rst"
    found = [
        Finding("entry-missing", "agent", agent, "slug ('acme', 'helper') at position 12"),
        Finding(
            "resource-unreadable", "agent_instance", "ain-\x1b[31mred", "its bytes are no AgentInstance: truncated"
        ),
        Finding("default-instance-gone", "agent", agent, "its status names ain-01jq8m3v9k2x7c5d4b6n1p0rsv"),
    ]
    hold("stores-verify", columns, said(lambda console: print_findings(console, found)))


def test_stores_salvage(columns: int) -> None:
    place = Place("000012.ldb", 4096, 8192)
    result = Salvage(
        Counter(agent=9_812, agent_instance=9_810),
        [Loss("agent", "agt-01jq8m3v9k2x7c5d4b6n1p0rst", "its bytes are no Agent: wire type 7 in field 3")],
        Counter(agent_instance=2),
        [("environment", "env-01jq8m3v9k2x7c5d4b6n1p0rsw")],
        [Area(place, "the checksum of the block is wrong")],
        3,
    )
    hold(
        "stores-salvage", columns, said(lambda console: print_salvage(console, result, "leveldb:/srv/agents/salvaged"))
    )


def test_nemesis(columns: int) -> None:
    run = {"target": "cmd:./my-server --port {port}", "profile": "oss", "seed": 7}
    rows = (
        Row("LINEARIZABLE", "Each resource changes as if by one call after another.", Verdict.PASS),
        Row("LASTING", "What was acknowledged is there at the end.", Verdict.FAIL, ("agent a-7 is gone: " * 5,), 4),
        Row("EVENTS", "Events are whole and in order.", Verdict.NOT_APPLICABLE, reason="the target has no events"),
    )
    bites = (Bite("delay", 14, 210, {"delayed chunks": 1_204}), Bite("kill", 3, 12, {"kills": 3, "restarts": 3}))
    figures = {"calls": 4_210, "ok": 4_001, "refused": 180, "unknown": 29}
    figures |= {"resources": 31, "overlapping": 902, "events": 0}
    report = NemesisReport(run, rows, bites, figures, "interrupted: judged is what was done until then", ("agent x",))
    hold("nemesis", columns, said(lambda console: print_nemesis(console, report, Path("out"))))


def test_the_red_snapshots_are_red() -> None:
    assert RED.exit_code == 1
    assert {row.verdict for row in RED.results} >= {Verdict.FAIL, Verdict.UNTESTABLE, Verdict.KNOWN_FAILING}
