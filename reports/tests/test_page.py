"""The page's text: complete, well-formed, self-contained, the same every time, and deaf to what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.results import Results, write_results
from conformance.verdict import CREATE_STEPS
from reports.html import render_page
from reports.html.palette import DARK, LIGHT, MARK_PAIRS, TEXT_PAIRS
from reports.html.svg import Scale, element
from reports.models import Run
from reports.read import read_run
from reports.tests import sample
from reports.write import Format, write_all

VOID = {"meta", "wbr", "br", "input", "img", "link", "hr", "col", "area", "base", "embed", "source", "track"}
ALLOWED = {
    "a",
    "abbr",
    "article",
    "b",
    "body",
    "button",
    "caption",
    "circle",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
}
ALLOWED |= {"figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "head", "header", "html", "input", "label", "li"}
ALLOWED |= {
    "line",
    "main",
    "meta",
    "nav",
    "ol",
    "p",
    "pre",
    "q",
    "rect",
    "script",
    "section",
    "span",
    "style",
    "summary",
}
ALLOWED |= {"svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul", "wbr", "br"}


class Page(HTMLParser):
    """Tags, ids, links and the text of a page; a tag that isn't closed in order is an error."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


@pytest.fixture(scope="module")
def source(red_run: Path) -> str:
    return render_page(read_run(red_run))


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page: Page) -> None:
    assert set(page.tags) <= ALLOWED
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    inside = {link[1:] for link in page.values("href")}
    assert all(link.startswith("#") for link in page.values("href"))
    assert inside <= set(ids)
    assert {one for value in page.values("aria-labelledby") for one in value.split()} <= set(ids)


def test_the_page_says_what_to_mend_first_before_it_shows_what_failed(source: str) -> None:
    mending = source[source.index('<section id="mending"') : source.index('<section id="create"')]
    assert "it is the opposite of: A create whose slug is taken" in mending
    assert '<a href="#failure-CHECKDUP-1"><code>CHECKDUP-1</code></a>: the second create was accepted' in mending
    assert 'Nothing known explains <a href="#requirement-VALIDATE-3">' in mending


def test_the_page_holds_nothing_from_elsewhere(page: Page) -> None:
    names = Counter(name for _, name, _ in page.attributes)
    assert not {"src", "srcset", "style", "action", "background", "data", "poster"} & set(names)
    assert not [name for name in names if name.startswith("on")]
    assert page.tags["link"] == page.tags["img"] == page.tags["iframe"] == 0
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_the_matrix_has_all_steps_and_a_failing_cell_leads_to_its_card(source: str) -> None:
    matrix = source[source.index('<section id="create"') : source.index('<section id="operations"')]
    heads = [re.sub("<[^>]+>", "", head) for head in re.findall(r'<th scope="row"[^>]*>(.*?)</th>', matrix)]
    assert heads == [f"{number} {step}" for number, step in enumerate(CREATE_STEPS, 1)]
    assert matrix.count("<td ") == 12 * 8
    assert re.search(r'<a href="#failure-CHECKDUP-1"><span[^>]*>✕</span>&nbsp;<b>FAIL</b>', matrix)
    assert re.search(r'<a href="#group-CreateIamPolicies"><span[^>]*>\?</span>&nbsp;<b>UNTESTABLE</b>', matrix)
    assert "<li>CheckDuplicate: FAIL on sqlite+protobuf cloud</li>" in matrix
    assert matrix.count("no such step") == 4 * 4


def test_what_holds_everywhere_is_one_line_that_opens(green_run: Path, source: str) -> None:
    green = render_page(read_run(green_run))
    create = green[green.index('<section id="create"') : green.index('<section id="operations"')]
    line = re.sub("<[^>]+>", "", create[create.index("<summary>") : create.index("</summary>")])
    assert line.split() == ["✓", "holds", "12", "steps", "hold", "on", "all", "8", "servers"]
    assert create.index("<details") < create.index("<table")
    operations = source[source.index('<section id="operations"') : source.index('<section id="failures"')]
    shown, folded = operations.split('<details class="folded">')
    assert re.findall(r'<th scope="row" aria-label="([^"]+)"', shown) == ["list"]
    assert len(re.findall(r'<th scope="row"', folded)) == 8


def test_every_requirement_has_an_address_and_shows_its_exchange(page: Page, source: str) -> None:
    ids = set(page.values("id"))
    assert {f"requirement-{row.id}" for row in sample.catalogue("cloud")} <= ids
    begin = source.index('id="requirement-CHECKDUP-1"')
    shown = source[begin : source.index('<details class="requirement"', begin)]
    assert "<b>OK</b>" in shown  # the exchange that its problem names
    assert "code-reviewer" in shown
    assert re.search(r"FAIL</span> <span class=\"soft\">1</span>.*PASS</span> <span class=\"soft\">7</span>", shown)


def test_requirements_lead_to_the_documents_where_their_address_is_given(red_run: Path, tmp_path: Path) -> None:
    made = write_all(red_run, tmp_path, [Format.HTML], docs="https://docs.example/parity/")[Format.HTML]
    links = [link for link in Page(made.read_text("utf-8")).values("href") if not link.startswith("#")]
    assert "https://docs.example/parity/requirements/agent-create.html#CHECKDUP-1" in links
    assert all(link.startswith("https://docs.example/parity/requirements/") for link in links)


def test_a_chart_says_what_it_found_and_its_rows_open_their_numbers(page: Page, source: str) -> None:
    chart = source[source.index('id="latency-write"') : source.index('id="latency-read"')]
    assert re.search(
        r"<h3[^>]*>leveldb\+protobuf writes fastest: [\d.]+x faster than sqlite\+protobuf when relaxed", chart
    )
    assert chart.count("<dt>median</dt>") == chart.count('<th scope="row">') == 24
    assert "time of one call, logarithmic" in chart
    assert len(re.findall("<figure", source)) == source.count("The numbers as a table")


@pytest.mark.parametrize(
    "words",
    [
        "What to mend first? It is the opposite of: A create whose slug is taken",
        "It shows in CHECKDUP-1.",
        "Are the claims true? ✓ Writes: “Writes are 10 to 50 times faster” holds: 14 to 18 times faster, in Go from",
        "Mostly writes, relaxed: leveldb+protobuf; the next, sqlite+protobuf, takes 4.",
        "What was not shown? Untestable, sqlite-protobuf-cloud: no credentials for an admin.",
        "1 of 8 servers is not conformant",
        "A create whose slug is taken is refused with ALREADY_EXISTS",
        "parity conform 'store:sqlite-protobuf' --profile cloud --only CHECKDUP-1 --seed 7",
        "Writes are 10 to 50 times faster.",
        "parity bench stores --quick --seed 1 --workload write",
        "What durability costs",
        "151 µs",
        "600 agents from 602 records of agents.jsonl",
        "line 7: name '日本語': nothing for a slug",
        "the driver rocksdict is not installed",
        "the process was ended by the system: out of memory",
        "no credentials for an admin",
        "Example CPU 3000, 2 cores",
        "2026-03-01 09:30:00 UTC",
        "(742 more characters)",
        "(10 more)",
    ],
)
def test_the_page_says(page: Page, words: str) -> None:
    assert words in re.sub(r"\s+", " ", page.text)


def test_every_figure_carries_its_command(source: str) -> None:
    for part in re.findall(r"<figure.*?</figure>", source, re.DOTALL):
        assert re.search(r'<div class="command">.*?<code>parity bench stores', part, re.DOTALL)


def test_a_hostile_run_adds_no_markup(red_run: Path, hostile_run: Path) -> None:
    hostile = render_page(read_run(hostile_run))
    found = Page(hostile)
    assert set(found.tags) <= ALLOWED
    assert found.tags["script"] == found.tags["style"] == 1
    assert not [name for _, name, _ in found.attributes if name.startswith("on") or name == "src"]
    assert all(re.fullmatch(r"#[\w-]+", link, re.ASCII) for link in found.values("href"))
    assert "<script>alert('x')</script>" in found.text
    assert "{{ 7*7 }}" in found.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u200b\ufffe]", hostile)
    assert "⟨U+202E⟩" in found.text


def test_the_same_run_gives_the_same_bytes_in_every_process_and_place(red_run: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(red_run, tmp_path / "another-name")
    first = {name: path.read_bytes() for name, path in write_all(red_run, tmp_path / "first").items()}
    code = "import sys, pathlib, reports; reports.write_all(*map(pathlib.Path, sys.argv[1:]))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run(
        [sys.executable, "-c", code, str(elsewhere), str(tmp_path / "second")], check=True, env=environment, timeout=60
    )
    assert set(first) == set(Format)
    for content, path in zip(first.values(), sorted((tmp_path / "second").iterdir(), key=_order), strict=True):
        assert path.read_bytes() == content, path.name
    assert not [path for path in (tmp_path / "first").iterdir() if "partial" in path.name]


def _order(path: Path) -> int:
    return ["report.html", "report.md", "junit.xml", "badge.svg"].index(path.name)


def test_parts_of_a_run_make_a_page_too(results: Results, tmp_path: Path) -> None:
    sample.write_server(tmp_path / "one", sample.report("x", "oss"))
    write_results(results, tmp_path / "bench")
    one, bench = Page(render_page(read_run(tmp_path / "one"))), Page(render_page(read_run(tmp_path / "bench")))
    assert "The server is conformant" in one.text
    assert "no benchmarks were run" in one.text
    assert "no server was judged in this run" in bench.text
    assert "claims-chart" in bench.values("id")
    assert Page(render_page(Run("nothing"))).tags["section"] > 0


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_enough_to_read(palette: dict[str, str]) -> None:
    for pairs, least in ((TEXT_PAIRS, 4.5), (MARK_PAIRS, 3.0)):
        for front, back in pairs:
            low, high = sorted((luminance(palette[front]), luminance(palette[back])))
            assert (high + 0.05) / (low + 0.05) >= least, (front, back)


def test_both_palettes_have_every_colour_that_the_style_uses(source: str) -> None:
    assert LIGHT.keys() == DARK.keys()
    used = set(re.findall(r"var\(--([\w-]+)\)", source))
    assert used <= LIGHT.keys()


def test_scales_place_values_in_order_and_ticks_are_round() -> None:
    for scale in (Scale.around([0.5, 80.0]), Scale.from_zero(5e6, 1 << 20), Scale.around([3.0])):
        ticks = scale.ticks(5)
        assert 2 <= len(ticks) <= 6
        places = [scale.at(tick) for tick in ticks]
        assert places == sorted(set(places))
        assert all(2 <= place <= 98 for place in places)
    assert Scale.around([1.0, 100.0]).ticks(6) == [1.0, 3.0, 10.0, 30.0, 100.0]
    assert Scale.around([1.0, 100.0]).ticks(4) == [1.0, 10.0, 100.0]
    assert Scale.from_zero(0.0).at(0.0) == 2.0
    assert Scale.around([0.0, -1.0]).at(1.0) == pytest.approx(50.0)


def test_svg_escapes_what_it_holds() -> None:
    assert element("text", "<b>&", x=1.0, class_='"><script>').markup() == (
        '<text x="1" class="&#34;&gt;&lt;script&gt;">&lt;b&gt;&amp;</text>'
    )
