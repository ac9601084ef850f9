"""The system's errors: their words, and the path once."""

from __future__ import annotations

from pathlib import Path

import pytest

from terminal.system_errors import path_and_reason_of, reason_of


def test_a_path_is_told_once_and_no_number(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none") as raised:
        (tmp_path / "none").read_bytes()
    assert path_and_reason_of(raised.value) == f"{tmp_path / 'none'}: No such file or directory"
    assert reason_of(raised.value) == "No such file or directory"


def test_what_the_system_did_not_say_is_told_as_it_is() -> None:
    assert path_and_reason_of(OSError("gone")) == reason_of(ValueError("gone")) == "gone"
