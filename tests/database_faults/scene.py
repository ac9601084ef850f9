"""A scene: servers over a database, what strikes it, and the nemesis run in which it does."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.credentials import read_credentials
from conformance.nemesis.faults import Fault
from conformance.nemesis.judge import NemesisReport
from conformance.nemesis.run import Plan, run_nemesis
from conformance.runner import Options
from parity.reference import Reference
from stores.suite.subject import UrlSubject

DEADLINE_SECONDS = 30.0
"""One call before and after the faults: a database that begins anew takes its time."""


@dataclass(frozen=True)
class Scene:
    """Servers and what strikes them."""

    urls: Sequence[str]
    """The store's URL as each server is told it, without a schema."""
    faults: tuple[str, ...]
    own: Mapping[str, Fault] = field(default_factory=dict)
    """Faults that the nemesis doesn't have by itself."""
    behind: str = ""
    """The database as host:port, where the URLs have `{behind}` in its place."""
    seconds_back: Sequence[float] = ()
    """By how much each server's clock is set back; none: not at all."""


def play(scene: Scene, seconds: float, seed: int, folder: Path) -> NemesisReport:
    """Let clients work on the servers of a scene while it is struck; keep the history in `folder`/out.

    Raises what `run_nemesis` raises.
    """
    stores = [UrlSubject.of(url, folder).url_of("db") for url in scene.urls]
    references = [Reference(store, "cloud", folder, folder) for store in stores]
    references[0].prepare()
    backs = scene.seconds_back or [0.0] * len(stores)
    targets = [_target(reference, back) for reference, back in zip(references, backs, strict=True)]
    credentials = read_credentials(references[0].credentials)
    options = Options(profile="cloud", credentials=credentials, seed=seed, deadline_seconds=DEADLINE_SECONDS)
    plan = Plan(scene.faults, seconds, behind=scene.behind, own=scene.own)
    return run_nemesis(",".join(targets), options, plan, out=folder / "out")


def _target(reference: Reference, seconds_back: float) -> str:
    if not seconds_back:
        return reference.target
    command = [sys.executable, "-m", "tests.wrong_replicas", "none", "--port", "{port}", "--store", reference.store_url]
    command += ["--tokens", str(reference.tokens), "--seconds-back", str(seconds_back)]
    return f"cmd:{shlex.join(command)}"
