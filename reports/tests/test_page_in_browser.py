"""The page in a real browser, opened from disk: silent, alone, in both schemes, by keyboard, on a phone, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.verdict import CREATE_STEPS
from reports.html.palette import DARK, LIGHT
from reports.tests import sample
from reports.tests.browser import Browser, find_browser, running
from reports.write import Format, write_all

BROWSER = find_browser()
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine (Debian package: chromium)"),
    pytest.mark.xdist_group("browser"),
]
TAB, ENTER = 9, 13
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def css(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[index : index + 2], 16)) for index in (1, 3, 5))})"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert BROWSER is not None
    with running(BROWSER, tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def page(red_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(red_run, tmp_path_factory.mktemp("page"), [Format.HTML])[Format.HTML]


@pytest.mark.parametrize(("scheme", "palette"), [("light", LIGHT), ("dark", DARK)])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_silently_and_alone(
    browser: Browser, page: Path, scheme: str, palette: dict[str, str], width: int
) -> None:
    browser.open(page, scheme=scheme, width=width)
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.run(BACKGROUND) == css(palette["page"])
    heads = browser.run(
        "[...document.querySelectorAll('#create tbody th')]"
        ".filter(one => one.checkVisibility()).map(one => one.textContent)"
    )
    assert [head.split()[-1] for head in heads] == list(CREATE_STEPS)
    assert browser.run("document.documentElement.scrollWidth") == width  # no part is wider than the screen
    assert browser.run("document.querySelector('#create .matrix').getBoundingClientRect().height") > 300


def test_a_hostile_run_does_nothing(browser: Browser, hostile_run: Path, tmp_path: Path) -> None:
    page = write_all(hostile_run, tmp_path, [Format.HTML])[Format.HTML]
    browser.open(page)
    browser.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.run("document.scripts.length") == 1
    assert "<script>alert('x')</script>" in browser.run("document.querySelector('#failures').textContent")


def test_the_policy_stops_a_script_that_slipped_in(browser: Browser, page: Path, tmp_path: Path) -> None:
    """Proof that the tests above can see a violation at all."""
    planted = tmp_path / "planted.html"
    planted.write_text(
        page.read_text("utf-8").replace(
            "<main", "<script>window.planted = 1</script><img src='http://127.0.0.1:9/x'><main"
        ),
        "utf-8",
    )
    browser.open(planted)
    assert browser.run("window.planted") is None
    assert len(browser.complaints()) >= 2


def test_everything_is_reached_by_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page, scheme="light")
    browser.press("Tab", TAB)
    assert browser.run("document.activeElement.className") == "skip"
    for _ in range(12):
        browser.press("Tab", TAB)
        if browser.run("document.activeElement.id") == "theme":
            break
    assert browser.run("document.activeElement.id") == "theme"
    seen = []
    for _ in range(3):
        browser.press("Enter", ENTER)
        seen.append((browser.run("document.activeElement.textContent"), browser.run(BACKGROUND)))
    assert seen == [
        ("Theme: light", css(LIGHT["page"])),
        ("Theme: dark", css(DARK["page"])),
        ("Theme: auto", css(LIGHT["page"])),
    ]
    browser.run("document.querySelector('#create td a[href^=\"#failure\"]').focus()")
    browser.press("Enter", ENTER)
    assert browser.run("location.hash") == "#failure-VALIDATE-3"
    assert browser.run("document.querySelector(location.hash + ' .occurrence').open")


def test_a_cell_opens_its_requirements_and_a_row_of_a_chart_its_numbers(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('#create td a[href=\"#group-Persist\"]').click()")
    assert browser.run("document.querySelector('#group-Persist').open")
    assert browser.run("document.querySelector('#group-Persist .requirement').checkVisibility()")
    browser.run("document.querySelector('#claims-chart .rows summary').focus()")
    browser.press("Enter", ENTER)
    assert "supported" in browser.run("document.querySelector('#claims-chart .rows details[open] .numbers').innerText")


def test_requirements_are_found_by_a_filter(browser: Browser, page: Path) -> None:
    browser.open(page)
    total = len(sample.catalogue("cloud"))
    shown = "[...document.querySelectorAll('.requirement')].filter(one => !one.closest('[hidden]')).length"
    assert browser.run(shown) == total
    browser.run(
        "{ const f = document.getElementById('filter'); f.value = 'checkdup'; f.dispatchEvent(new Event('input')) }"
    )
    assert browser.run(shown) == 3
    assert browser.run("document.getElementById('filter-count').textContent") == f"3 of {total}"
    assert browser.run("document.querySelectorAll('#requirements .by-name[open]').length") == 1


def test_the_browser_reads_it_aloud_as_tables_with_names(browser: Browser, page: Path) -> None:
    browser.open(page)
    root = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]
    matrix = browser.call("DOM.querySelector", nodeId=root, selector="#create")["nodeId"]

    def names(role: str) -> list[str]:
        found = browser.call("Accessibility.queryAXTree", nodeId=matrix, role=role)["nodes"]
        return [one["name"]["value"] for one in found if not one["ignored"]]

    assert names("region") == ["Create, step by step"]
    assert "Create, step by step" in names("group")  # its table, which can be scrolled by keys
    assert names("rowheader") == list(CREATE_STEPS)
    assert names("columnheader")[:2] == ["Step", "leveldb+protobuf"]
    links = [name.split()[0] for name in names("link")]
    assert (len(links), links.count("FAIL"), links.count("UNTESTABLE")) == (12 * 8, 1, 1)
    assert all(names("button"))


def test_it_prints(browser: Browser, tmp_path: Path) -> None:
    sample.write_server(tmp_path, sample.report("x", "cloud", sample.failing()), sample.exchanges())
    browser.open(write_all(tmp_path, formats=[Format.HTML])[Format.HTML], scheme="dark")
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert browser.run("document.querySelector('.top').checkVisibility()") is False
    browser.call("Emulation.setEmulatedMedia", media="")
    printed = browser.call("Page.printToPDF", preferCSSPageSize=True)["data"]
    assert printed.startswith("JVBERi0")  # %PDF-
