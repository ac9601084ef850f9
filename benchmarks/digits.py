"""Numbers with a few significant digits, as people write them: never in exponent form."""

from __future__ import annotations


def significant(value: float, count: int) -> str:
    """Return a number rounded to so many digits: `2.5`, `0.031`, `1,780`."""
    return f"{float(f'{value:.{count}g}'):,.12g}"
