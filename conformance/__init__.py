"""The conformance suite: proves from outside whether a server keeps the behaviour contract.

`run()` exercises a target and judges it, `recheck()` judges stored evidence again, `read_verdicts()` reads a stored
report. The suite never imports a server's code: it judges strangers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.rejudge import recheck
    from conformance.runner import NothingSelected, Options, run
    from conformance.verdict import Report, Result, Verdict
    from conformance.verdicts_file import read_verdicts

__all__ = ["NothingSelected", "Options", "Report", "Result", "Verdict", "read_verdicts", "recheck", "run"]

_HOMES = {
    "read_verdicts": "verdicts_file",
    "recheck": "rejudge",
    "NothingSelected": "runner",
    "Options": "runner",
    "run": "runner",
}


def __getattr__(name: str) -> object:
    """Import on first use: who only reads verdicts (reports do) needn't load the checks."""
    if name not in __all__:
        raise AttributeError(f"module 'conformance' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - the point of this function

    return getattr(import_module(f"conformance.{_HOMES.get(name, 'verdict')}"), name)
