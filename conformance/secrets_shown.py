"""What answers show of secrets: neither a value, nor that one secret differs from another."""

from __future__ import annotations

from collections.abc import Iterable

from conformance import samples
from conformance.evidence import Exchange, Json, value_at
from conformance.judging import equal, problem
from conformance.verdict import Problem

DATA_OF_AGENT, DATA_OF_ENVIRONMENT = "spec.env_spec.data", "spec.data"
"""Where a resource's values are; an instance has none."""


def leaks(exchange: Exchange, secrets: Iterable[str]) -> list[Problem]:
    """No value of these stands anywhere in an answer, a refusal, or in an event where the exchange is a watch."""
    text = str((exchange.responses, exchange.message, exchange.details))
    wanted = samples.REDACTED
    return [
        problem(f"{exchange.label}: the secret value is in the answer", exchange, expected=wanted)
        for secret in secrets
        if secret and secret in text
    ][:1]


def unlike(exchange: Exchange, path: str) -> list[Problem]:
    """The secrets of each resource of an answer are shown alike.

    So nothing of their values shows: not that one is empty, not how long it is. Which word it is is asked elsewhere.
    """
    for row in exchange.value("items", [exchange.response]):
        shown = {name: value.get("value", "") for name, value in marked(row, path).items()}
        if len(set(shown.values())) > 1:
            text = f"{exchange.label}: secrets are not shown alike, so that something of their values shows"
            return [problem(text, exchange, expected=f"{samples.REDACTED} for each", actual=shown)]
    return []


def not_stars(exchange: Exchange, path: str) -> list[Problem]:
    """The ordinary secret, and each other one, is shown as the stars."""
    names = dict.fromkeys([samples.SECRET_NAME, *marked(exchange.response, path)])
    return [
        wrong
        for name in names
        for wrong in equal(
            f"{exchange.label}: the secret's value is not the stars",
            exchange,
            samples.REDACTED,
            exchange.value(f"{path}.{name}.value"),
        )
    ][:1]


def marked(resource: Json, path: str) -> dict[str, dict[str, Json]]:
    """Return the values of a resource that are marked as secret, by name."""
    return {name: value for name, value in value_at(resource, path, {}).items() if value.get("is_secret")}
