"""The database of results: each run once, values over time, and queries that a stranger's tool can run."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.claims import load_claims
from benchmarks.cli import app
from benchmarks.history import TABLES, claim_history, enter, known, metric_history
from benchmarks.history_tables import WIDTH, drawn
from benchmarks.judge import judge
from benchmarks.results import Blank, Judgement, Results, ResultsError, Subject, write_results
from benchmarks.server.goals import judge_goals
from benchmarks.tests.test_goals import planted


def run_at(when: str, share: float = 0.5) -> Results:
    blank = Blank("create", Subject("leveldb", "protobuf", "durable", "oss"), "medium", 'it\'s a "reason"; drop table')
    raw = planted({("get", "oss", "relaxed"): share}, blanks=(blank,))
    raw = replace(raw, environment=replace(raw.environment, captured_at=when))
    goals = judge_goals(raw, "leveldb", "protobuf", (100, 10_000))
    return Results(raw, Judgement(judge(raw, claims=()).summaries, (), goals))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "parity.db"
    for when, share in (("2026-02-01T00:00:00Z", 0.97), ("2026-01-01T00:00:00Z", 0.5), ("2026-02-01T00:00:00Z", 0.97)):
        enter(run_at(when, share), path)
    return path


def test_a_run_is_entered_once(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        counts = {name: connection.execute(f"select count(*) from {name}").fetchone()[0] for name in TABLES}  # noqa: S608
    assert counts["runs"] == 2
    assert counts["blanks"] == 2
    assert counts["summaries"] == 2 * len(run_at("x").judgement.summaries)
    assert counts["verdicts"] == 2 * len(run_at("x").judgement.verdicts)


def test_values_come_oldest_first(database: Path) -> None:
    found = claim_history(database, "get-oss")
    assert [entry.captured_at[:7] for entry in found] == ["2026-01", "2026-02"]
    assert [round(entry.value, 2) for entry in found] == [0.5, 0.97]
    assert found[0].says == "contradicted"
    costs = [
        entry for entry in metric_history(database, "get") if entry.what.startswith("leveldb+protobuf+oss/relaxed")
    ]
    assert [round(entry.value) for entry in costs] == [403, 208]
    claims, metrics = known(database)
    assert "get-oss" in claims
    assert "growth_create" in metrics


def test_what_is_no_database_of_results_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_text("no database, however long this text is" * 100)
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as connection:
        connection.execute("pragma user_version = 9")
    for path, says in ((other, "not a database"), (newer, "format 9"), (tmp_path / "none.db", "no such database")):
        with pytest.raises(ResultsError, match=says):
            known(path)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(ResultsError, match="choose another --db"):
        enter(run_at("x"), other / "parity.db")


def test_an_interval_is_drawn_where_it_lies(database: Path) -> None:
    first, last = claim_history(database, "get-oss")
    low, high = first.low, last.high
    drawing = drawn(first, low, high), drawn(last, low, high)
    assert [len(each) for each in drawing] == [WIDTH, WIDTH]
    assert drawing[0].index("●") < WIDTH / 4
    assert drawing[1].index("●") > WIDTH * 3 / 4


def test_the_command_shows_draws_and_refuses(database: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    named = run(app, ["history", "--db", str(database)])
    assert "get-oss" in named.output
    shown = run(app, ["history", "--db", str(database), "--claim", "get-oss", "--svg", str(tmp_path / "h.svg")])
    assert shown.exit_code == 0
    assert "2026-02-01" in shown.output
    assert (tmp_path / "h.svg").read_text().startswith("<svg")
    assert run(app, ["history", "--db", str(database), "--claim", "nothing"]).exit_code == 2


def test_the_gate_says_slower_with_its_exit_code(tmp_path: Path) -> None:
    for name, share in (("before", 0.9), ("after", 0.5)):
        results = run_at(name, share)
        write_results(results, tmp_path / name)
    run = CliRunner().invoke
    words = ["compare", str(tmp_path / "before"), str(tmp_path / "after")]
    slower = run(app, words)
    assert slower.exit_code == 1
    assert "get, leveldb+protobuf+oss/relaxed, medium: 1.80x" in slower.output
    assert run(app, ["compare", words[1], words[1]]).exit_code == 0
    assert run(app, [*words, "--fail-over", "200%"]).exit_code == 0
    assert run(app, [*words, "--fail-over", "10"]).exit_code == 2
    unconfirmed = run(app, [*words, "--confirm"])
    assert unconfirmed.exit_code == 1  # what can't be measured again from here stands
    assert "not confirmed: a run of `bench server` can't be confirmed" in unconfirmed.output


def test_every_canned_query_runs(database: Path) -> None:
    described = json.loads(files("benchmarks").joinpath("datasette.json").read_text(encoding="utf-8"))
    queries = described["databases"]["parity"]["queries"]
    with sqlite3.connect(database) as connection:
        rows = {
            name: connection.execute(query["sql"], {"claim": "get-oss", "metric": "get"}).fetchall()
            for name, query in queries.items()
        }
    assert all(rows.values())
    assert len(rows["claim-history"]) == 2


def test_datasette_opens_it_and_answers_the_canned_queries(database: Path, tmp_path: Path) -> None:
    described = Path(str(files("benchmarks").joinpath("datasette.json")))
    command = [sys.executable, "-m", "datasette", "serve", str(database), "-m", str(described), "-h", "127.0.0.1"]
    with subprocess.Popen([*command, "-p", "0"], stderr=subprocess.PIPE, text=True) as process:
        try:
            port = _port(process)
            claims = _asked(port, "/parity/claims-now.json?_shape=array")
            metric = _asked(port, "/parity/metric-history.json?_shape=array&metric=get")
        finally:
            process.terminate()
    assert {"Get, oss"} <= {row["title"] for row in claims}
    assert [row["captured_at"][:7] for row in metric if row["subject"].startswith("leveldb+protobuf+oss")] == [
        "2026-01",
        "2026-02",
    ]


def _port(process: subprocess.Popen[str]) -> int:
    """Return where it listens on loopback: it says so once it does."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    pytest.fail(f"datasette ended: {said}")


def _asked(port: int, path: str) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        rows: list[dict[str, Any]] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return rows


def test_the_links_to_charts_name_claims_that_there_are() -> None:
    described = json.loads(files("benchmarks").joinpath("datasette.json").read_text(encoding="utf-8"))
    linked = re.findall(r"\?claim=([\w-]+)#g\.mark=line", json.dumps(described))
    assert linked
    assert set(linked) <= {claim.id for claim in load_claims()}
