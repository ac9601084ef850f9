"""The site of documents: every link leads somewhere, every requirement has its anchor, every command its part."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.catalogue import catalogue
from conformance.evidence import Exchange
from parity.commands import COMMANDS
from parity.site.__main__ import write_sources
from parity.site.requirement_pages import Recorded, worded
from reports.tests.browser import find_browser, running

HOSTILE = "</pre><script>alert(1)</script> ```\n# x"
EXCHANGE = Exchange(1, "c", "l", "s", "nobody", "/a/b", {"name": HOSTILE}, "ALREADY_EXISTS", HOSTILE, (), ({},))


def build(configuration: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(configuration)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sources(tmp_path_factory.mktemp("docs"), {"DUP-SLUG": Recorded("oss", EXCHANGE)})


@pytest.fixture(scope="module")
def site(configuration: Path) -> Path:
    made = build(configuration)
    assert made.returncode == 0, made.stderr  # a link or an anchor that leads nowhere is named there
    return configuration.parent / "site"


def test_every_requirement_and_every_command_has_an_address(site: Path) -> None:
    pages = "".join(path.read_text("utf-8") for path in (site / "requirements").glob("*.html"))
    assert {f'id="{name}"' for name in catalogue()} <= set(re.findall(r'id="[A-Z0-9-]+"', pages))
    commands = (site / "commands.html").read_text("utf-8")
    assert all(f'id="parity-{row.name}"' in commands for row in COMMANDS)
    assert "create-duplicate-wrong-code" in pages


def test_an_example_shows_what_was_said_and_adds_no_markup(site: Path) -> None:
    page = (site / "requirements" / "agent-create.html").read_text("utf-8")
    assert "The reference server, oss profile: ALREADY_EXISTS" in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.full
def test_a_link_that_leads_nowhere_would_be_noticed(configuration: Path, site: Path) -> None:
    page = configuration.parent / "pages" / "glossary.md"
    before = page.read_text("utf-8")
    page.write_text(before + "\n[gone](guides/gone.md) [nowhere](mutants.md#nowhere)\n", "utf-8")
    made = build(configuration)
    page.write_text(before, "utf-8")
    assert made.returncode != 0
    assert "guides/gone.md" in made.stderr
    assert "#nowhere" in made.stderr


@pytest.mark.full
@pytest.mark.skipif(find_browser() is None, reason="no Chromium on this machine (Debian package: chromium)")
def test_it_is_searched_from_a_disk_and_fetches_nothing(site: Path, tmp_path: Path) -> None:
    browser_path = find_browser()
    assert browser_path is not None
    find = """new Promise((done, failed) => {
      const field = document.querySelector('[data-md-component=search-query]');
      const result = document.querySelector('[data-md-component=search-result]');
      field.focus();
      field.value = 'slug taken';
      field.dispatchEvent(new KeyboardEvent('keyup', { bubbles: true }));
      const begun = Date.now();
      const look = () => {
        if (/DUP-SLUG/.test(result.textContent)) done(result.textContent);
        else if (Date.now() - begun > 20000) failed(result.textContent);
        else setTimeout(look, 100);
      };
      look();
    })"""
    with running(browser_path, tmp_path) as browser:
        browser.open(site / "index.html")
        assert "DUP-SLUG" in browser.run(find)
        assert browser.complaints() == []
        assert all(url.startswith(("file:", "data:")) for url in browser.requests())


def test_a_sentence_has_its_code_as_code_and_no_other_markup() -> None:
    assert worded("A name that breaks `string.min_len` = 1_000 *is* refused") == (
        r"A name that breaks `string.min_len` = 1\_000 \*is\* refused"
    )
    assert worded("one ` alone") == r"one \` alone"
