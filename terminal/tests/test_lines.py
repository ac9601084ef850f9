"""Errors: lines of a terminal end between words, what has no end stays whole, and nothing in them is obeyed."""

from __future__ import annotations

import sys

import pytest

from terminal.lines import print_error

URL = "https://agents.example.com/a/path/that/is/longer/than/the/terminal"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "error: UNAVAILABLE: nobody answers there\n  spec.name: it is empty",
            ["error: UNAVAILABLE:", "nobody answers there", "  spec.name: it is", "  empty"],
        ),
        (f"error: see {URL} for more", ["error: see", URL, "for more"]),
        ("parity serve: it can't listen there", ["parity serve: it", "can't listen there"]),
        ("error: \x1b[2Jgone", [r"error: \x1b[2Jgone"]),
        ("one\n\ntwo", ["one", "", "two"]),
    ],
)
def test_a_terminal_gets_whole_words(
    text: str, lines: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    print_error(text)
    assert capsys.readouterr().err.splitlines() == lines


def test_a_file_gets_lines_as_they_are(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_error("error: a sentence that is longer than twenty columns")
    assert capsys.readouterr().err == "error: a sentence that is longer than twenty columns\n"
