"""Chance that can be had again."""

from __future__ import annotations

from random import Random


def chance(seed: float | str) -> Random:
    """Return what makes the same choices for the same seed."""
    return Random(seed)  # noqa: S311 - choices that can be made again, no secrets


def another(random: Random) -> Random:
    """Return a chance of its own for somebody, so that the others' choices don't depend on what it does."""
    return chance(random.random())
