"""Logs: JSON lines by structlog, on stderr, without credentials."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_WORDS = ("token", "authorization", "password", "secret", "credential")
LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")}


def log() -> Any:  # noqa: ANN401 - structlog's bound loggers are lazy proxies
    """Return the server's logger; with plain tracebacks even where nobody configured it (no locals, so no secrets)."""
    if not structlog.is_configured():
        configure_logging()
    return structlog.get_logger("parity.server")


def configure_logging(level: str = "info") -> None:
    """Send logs as JSON lines to stderr from `level` on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact_secrets,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def redact_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401, ARG001
    """Replace the value of every field whose name speaks of a credential; a structlog processor."""
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "***"
    return event
