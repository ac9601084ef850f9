"""Ctrl-C stays Ctrl-C, whatever undoing the work raises."""

from __future__ import annotations

import pytest

from terminal.interrupt import interrupts_first
from terminal.progress import progress_of


class Undoing:
    """A block that fails to undo what an error broke off, as a store does: with its own error, made of a driver's."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        raise OSError("the store is unavailable") from ValueError("cannot rollback")


def test_an_error_that_ctrl_c_led_to_is_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_first(), Undoing():
        raise KeyboardInterrupt


def test_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(OSError, match="the store is unavailable"), interrupts_first(), Undoing():
        raise RuntimeError


def test_what_is_left_is_told_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), progress_of("measurements", left="nothing is kept"), Undoing():
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "interrupted: measurements: 0; nothing is kept\n"
