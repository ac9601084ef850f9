"""How an error that a command didn't handle is told to a person: what, where, what to do; and its exit code.

Rooms raise errors of their own. They are listed here by name, so that telling one doesn't import the others: a
class whose module isn't loaded can't have been raised.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from terminal.system_errors import path_and_reason_of

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_FAULT = 4

TRACEBACK_VARIABLE = "PARITY_TRACEBACK"

KNOWN: tuple[tuple[str, str, int], ...] = (
    ("parity.problems", "Problem", EXIT_USAGE),
    ("reference_server.client.failures", "Unreachable", EXIT_UNREACHABLE),
    ("reference_server.client.failures", "BadInput", EXIT_USAGE),
    ("reference_server.client.failures", "ClientError", EXIT_REFUSED),
    ("stores.contract", "InvalidStoreUrl", EXIT_USAGE),
    ("stores.contract", "StoreError", EXIT_UNREACHABLE),
    ("reference_server.authorization.openfga.client", "OpenFgaError", EXIT_UNREACHABLE),
    ("conformance.target", "TargetInvalid", EXIT_USAGE),
    ("conformance.target", "TargetUnreachable", EXIT_UNREACHABLE),
    ("conformance.session", "SetupRefused", EXIT_UNREACHABLE),
    ("conformance.target_client", "TargetLost", EXIT_UNREACHABLE),
    ("conformance.credentials", "CredentialsInvalid", EXIT_USAGE),
    ("conformance.features", "DeclarationInvalid", EXIT_USAGE),
    ("conformance.verdicts_file", "VerdictsUnreadable", EXIT_USAGE),
    ("conformance.evidence_file", "EvidenceUnreadable", EXIT_USAGE),
    ("conformance.evidence_file", "EvidenceInUse", EXIT_USAGE),
    ("conformance.catalogue", "CatalogueInvalid", EXIT_FAULT),
    ("benchmarks.results", "ResultsError", EXIT_USAGE),
    ("benchmarks.payloads.payload", "PayloadError", EXIT_USAGE),
    ("reports.errors", "RunUnreadable", EXIT_USAGE),
    ("reports.errors", "ReportUnwritable", EXIT_USAGE),
)
"""(module, class, exit code) of the errors whose message is meant for a person. The first row that fits counts."""


def told(error: Exception) -> tuple[str, int]:
    """Return the text for a person and the exit code. An error that nobody listed is a fault of Parity."""
    hint = getattr(error, "hint", "")
    for module, name, code in KNOWN:
        known = getattr(sys.modules.get(module), name, None)
        if known is not None and isinstance(error, known):
            return _with_hint(str(error), hint), code
    if isinstance(error, OSError) and error.strerror:
        return path_and_reason_of(error), EXIT_USAGE
    if isinstance(error, ModuleNotFoundError):
        return _with_hint(str(error), "a part of Parity is not installed; run `make env` in its folder"), EXIT_FAULT
    return _fault(error), EXIT_FAULT


def wants_traceback() -> bool:
    """Whether the person asked for tracebacks."""
    return os.environ.get(TRACEBACK_VARIABLE, "") not in {"", "0"}


def _with_hint(text: str, hint: str) -> str:
    return f"{text}\n{hint}" if hint else text


def _fault(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return _with_hint(
        f"{type(error).__name__}: {error}{where}",
        f"This is a fault of Parity. Run the command again with {TRACEBACK_VARIABLE}=1 and report what it prints.",
    )
