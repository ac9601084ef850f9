"""What a check is: one exercise of the target, and for each requirement that it serves, one judge of the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance.judging import Judge
from conformance.session import Session

Exercise = Callable[[Session], None]


@dataclass(frozen=True)
class Check:
    """One exercise and its judges by requirement id.

    `roles` are needed in the cloud profile ("caller": any that may create agents); `features` must be offered;
    `profiles` narrows where the exercise makes sense. `alone` keeps other checks from running at the same time.
    """

    id: str
    exercise: Exercise
    judges: Mapping[str, Judge]
    roles: tuple[str, ...] = ("caller",)
    features: tuple[str, ...] = ()
    alone: bool = False


def check(
    requirement: str,
    exercise: Exercise,
    judge: Judge,
    *,
    also: Mapping[str, Judge] | None = None,
    roles: tuple[str, ...] = ("caller",),
    features: tuple[str, ...] = (),
    alone: bool = False,
) -> Check:
    """Make a check named after its first requirement; `also` holds further ones that the same exercise serves."""
    return Check(requirement, exercise, {requirement: judge, **(also or {})}, roles, features, alone)
