"""The report object: what it says is what the run says, its schema is published, and a changed one is noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.results import Results, write_results
from conformance.verdict import Verdict
from parity.main import run as parity
from reports.errors import RunUnreadable
from reports.html.index import Entry, render_index
from reports.read import read_run
from reports.report_object import Implementation, ReportObject, object_text, read_object, report_object, schema
from reports.tests import sample
from reports.tests.test_page import ALLOWED, Page

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"
NAMED = Implementation("an agent server", "1.2", "https://example.org/server", "team@example.org")


@pytest.fixture(scope="module")
def made(red_run: Path) -> ReportObject:
    return report_object(read_run(red_run), NAMED)


def written(made: ReportObject, folder: Path) -> Path:
    (folder / "report.yaml").write_text(object_text(made), encoding="utf-8")
    return folder / "report.yaml"


def test_it_says_what_the_run_says_and_comes_back_whole(made: ReportObject, tmp_path: Path) -> None:
    assert read_object(written(made, tmp_path)) == made
    red = next(one for one in made.results if not one.conformant)
    assert red.failures == ["CHECKDUP-1"]
    assert red.unmet_recommendations == ["VALIDATE-3"]
    assert [(one.id, one.reason) for one in red.known_failures] == [("LIST-1", "pages overlap; mended in 0.3")]
    assert len(red.evidence.sha256) == 64
    parts = {part.name: (part.verdict, part.held, part.total) for part in red.parts}
    assert parts["CheckDuplicate"] == (Verdict.FAIL, 1, 2)


def test_the_published_schema_is_the_one_that_is_checked() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == schema()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("PASS: 54", "PASS: 53", "results.0: 54 were asked for, and 53 are counted"),
        ("  - CHECKDUP-1", "  - A\n  - B", "counts say 2 failed, and 3 are named"),
        ("conformant: false", "conformant: true", "results.6: conformant, and yet not everything"),
        ("    held: 2", "    held: 3", "more hold than there are"),
        ("kind: ConformanceReport", "kind: Other", "kind: Input should be 'ConformanceReport'"),
        ("contract: ", "contracts: ", "contracts: "),
        ("contract: ", "catalogue: x\ncontract: ", "duplicate key"),
        ("seed: 7", "seed: '7'", "results.0.reproduce.seed"),
        ("  name: an agent server", "  name: [" + "[" * 3000, "not YAML"),
        ("api_version: parity/v1", "api_version: !!python/object:os.system x", "not YAML"),
    ],
)
def test_what_a_hand_has_changed_is_noticed(
    made: ReportObject, tmp_path: Path, old: str, new: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = object_text(made)
    assert old in text
    (tmp_path / "report.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    assert parity(["report", "validate", str(tmp_path / "report.yaml")]) == 1
    shown = capsys.readouterr()
    assert told in shown.out
    assert shown.err == ""


def test_it_is_held_against_its_run(
    made: ReportObject, red_run: Path, green_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(made, tmp_path))
    assert parity(["report", "validate", file, "--run", str(red_run)]) == 0
    assert "valid; an agent server 1.2: cloud: conformant" in capsys.readouterr().out
    assert parity(["report", "validate", file, "--run", str(green_run)]) == 1
    assert "results.6.failures" in capsys.readouterr().out
    assert parity(["report", "validate", str(tmp_path / "absent.yaml")]) == 2
    assert parity(["report", str(red_run), "--format", "object", "--out", str(tmp_path)]) == 2
    assert "--implementation" in capsys.readouterr().err


def test_a_run_without_servers_has_no_object(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path)
    with pytest.raises(RunUnreadable, match="no server was judged"):
        report_object(read_run(tmp_path), NAMED)


def test_many_implementations_make_one_page(
    red_run: Path, green_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in (red_run, green_run):
        named = ["--implementation", f"of {run.name}", "--implementation-version", "2"]
        assert parity(["report", str(run), "--out", str(tmp_path / run.name), *named]) == 0
    assert parity(["report", "index", *(str(tmp_path / one) for one in ("red", "green")), "--out",
                   str(tmp_path / "index.html")]) == 0  # fmt: skip
    source = (tmp_path / "index.html").read_text("utf-8")
    page = Page(source)
    assert set(page.tags) <= ALLOWED
    assert "2 implementations of the agent API" in page.text
    assert 'href="green/report.html"' in source
    shown = source[source.index('id="matrix"') : source.index('class="folded"')]
    assert "Check<wbr>Duplicate" in shown
    assert "Persist" not in shown
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(page.values("id"))


def test_a_hostile_object_adds_no_markup(made: ReportObject) -> None:
    hostile = Implementation(sample.HOSTILE, sample.HOSTILE, "javascript:alert(1)", sample.HOSTILE)
    page = Page(render_index([Entry(replace(made, implementation=hostile))]))
    assert set(page.tags) <= ALLOWED
    assert page.tags["script"] == 1
    assert all(link.startswith("#") for link in page.values("href"))
