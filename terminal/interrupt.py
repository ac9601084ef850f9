"""Ctrl-C, whatever it becomes on its way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_first() -> Iterator[None]:
    """Raise KeyboardInterrupt again where undoing what it broke off has failed, and that error came out instead."""
    try:
        yield
    except Exception as error:
        if _led_to(error):
            raise KeyboardInterrupt from error
        raise


def _led_to(error: BaseException | None) -> bool:
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    same = error.__cause__ is error.__context__
    return _led_to(error.__context__) or (not same and _led_to(error.__cause__))
