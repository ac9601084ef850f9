"""The Markdown summary and the badge: what they say, and that nothing foreign acts in them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from conformance.verdict import CREATE_STEPS, Verdict
from reports.badge import render_badge
from reports.markdown import LENGTH_LIMIT, code, plain, render_markdown
from reports.models import Judged, Run
from reports.read import read_run
from reports.tests import sample


def test_the_summary_says_what_the_page_says(red_run: Path) -> None:
    text = render_markdown(read_run(red_run))
    lines = text.splitlines()
    assert lines[0] == "# Parity: ✕ Not conformant"
    assert "1 of 8 servers is not conformant" in text
    rows = [line for line in lines if line.startswith(tuple(f"| {step} |" for step in CREATE_STEPS))]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(CREATE_STEPS)
    assert rows[3].count("✓ PASS 2/2") == 7
    assert rows[3].count("✕ FAIL 1/2") == 1
    assert "Reproduce: `parity conform 'store:sqlite-protobuf' --profile cloud --only CHECKDUP-1 --seed 7`" in text
    assert "One fsync on this disk: **151 µs**" in text
    assert re.search(r"\| Writes \| small \| durable \| ✕ contradicted \| 10x to 50x \|", text)


def test_it_says_what_to_mend_first_and_what_nothing_explains(red_run: Path) -> None:
    text = render_markdown(read_run(red_run))
    mending = text[text.index("## Mend first") : text.index("## Failures")]
    assert "1 probable cause explains 1 of 2 failures." in mending
    assert "1. **it is the opposite of: A create whose slug is taken" in mending
    assert "shows in `CHECKDUP-1`: the second create was accepted: expected ALREADY\\_EXISTS, got OK" in mending
    assert "Nothing known explains `VALIDATE-3` (ValidateFieldConstraints)." in mending
    assert "1 explained by nothing else" in mending


def test_what_is_blocked_stands_under_what_blocks_it() -> None:
    blocker, blocked = sample.result("A-1", verdict=Verdict.FAIL), sample.result("B-1", verdict=Verdict.FAIL)
    rows = (blocker, replace(blocked, blocked_by=("A-1",)))
    report = replace(sample.report("x", "cloud"), results=rows)
    text = render_markdown(Run("run", judged=(Judged("x", "x", report, {}, "parity conform x"),)))
    assert "### ✕ FAIL `A-1`" in text
    assert "Keeps from being asked: `B-1`" in text
    assert "### ✕ FAIL `B-1`" not in text


def test_all_rows_of_a_table_are_as_wide_as_its_head(hostile_run: Path) -> None:
    widths: list[int] = []
    for line in render_markdown(read_run(hostile_run)).splitlines():
        if not line.startswith("|"):
            widths = []
            continue
        widths.append(len(re.findall(r"(?<!\\)\|", line)))
        assert widths[0] == widths[-1], line


def test_nothing_foreign_acts(hostile_run: Path) -> None:
    text = render_markdown(read_run(hostile_run))
    outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert "<script" not in outside_code
    assert "<img" not in outside_code
    assert "@everyone" not in outside_code
    assert "http://evil" not in outside_code
    assert not re.search(r"(?<!\\)\]\(", outside_code)
    assert not re.search(r"^# heading", text, re.MULTILINE)
    assert not re.search(r"^```", text, re.MULTILINE)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e\ufffe]", text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[x](y)", "\\[x\\]\\(y\\)"),
        ("two\nlines\r\n- three", "two lines␍ - three"),
        ("1. first", "&#49;. first"),
        ("- item", "&#45; item"),
        ("see https://x.example and www.x.example", "see https&#58;//x.example and www&#46;x.example"),
        ("a@b $c$", "a&#64;b &#36;c&#36;"),
    ],
)
def test_plain_text_has_no_markup(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "`a`"), ("a`b", "`` a`b ``"), ("`", "`` ` ``"), ("", "`  `"), ("a|b", "`a\\|b`")]
)
def test_a_code_span_can_not_be_ended_from_inside(text: str, shown: str) -> None:
    assert code(text) == shown


def test_a_summary_stays_below_what_ci_takes() -> None:
    rows = tuple(
        replace(sample.result(f"A-{n}"), verdict=Verdict.NOT_APPLICABLE, reason=f"{n} " + "x" * 290)
        for n in range(4000)
    )
    report = replace(sample.report("x", "oss"), results=rows)
    text = render_markdown(Run("run", judged=(Judged("x", "x", report, None, "c"),)))
    assert LENGTH_LIMIT < len(text) < LENGTH_LIMIT + 200
    assert text.endswith("Cut here: the page has the rest.\n")


@pytest.mark.parametrize(
    ("name", "message", "colour"),
    [("red_run", "not conformant, 7 of 8", "#b3201c"), ("green_run", "conformant, 8 of 8", "#0d6b39")],
)
def test_the_badge_says_how_many(name: str, message: str, colour: str, request: pytest.FixtureRequest) -> None:
    text = render_badge(read_run(request.getfixturevalue(name)))
    root = ET.fromstring(text)  # noqa: S314 - made by ourselves
    assert root.get("aria-label") == f"parity: {message}"
    assert colour in text


def test_a_run_without_servers_has_a_badge() -> None:
    assert "parity: nothing judged" in render_badge(Run("run"))
