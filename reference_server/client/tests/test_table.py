"""Tables of the client at 40, 80 and 120 columns."""

from __future__ import annotations

import sys

import pytest

from reference_server.client.table import as_rows

HEADINGS = ("ID", "SLUG", "NAME")
ROWS = (("agt-01m82fgchpgcvmc33fssrfw7vw", "help-desk", "日本語 Help Desk"), ("agt-2", "", "Other"))
TABLE = """\
ID                               SLUG        NAME
agt-01m82fgchpgcvmc33fssrfw7vw   help-desk   日本語 Help Desk
agt-2                            -           Other
"""
LIST = """\
ID: agt-01m82fgchpgcvmc33fssrfw7vw
SLUG: help-desk
NAME: 日本語 Help Desk

ID: agt-2
SLUG: -
NAME: Other
"""


@pytest.mark.parametrize(("columns", "shown"), [(40, LIST), (80, TABLE), (120, TABLE)])
def test_what_is_wider_than_the_terminal_becomes_a_list(
    columns: int, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert as_rows(HEADINGS, ROWS) == TABLE, "a pipe is as wide as need be"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert as_rows(HEADINGS, ROWS) == shown
