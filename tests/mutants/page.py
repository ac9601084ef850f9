"""The page of the kill matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutants.operators import OPERATORS, generated
from tests.mutants.wrong_servers import sins

PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"
EQUIVALENT = (
    "Repeating a step that only looks, or sets what it has set: it has the same effect twice as once.",
    "Repeating Persist, CreateIamPolicies or the status update: the same write is staged again, one commit follows.",
    "Swapping CheckDuplicate with SetDefaults: neither looks at what the other does.",
    "Swapping Persist with CreateIamPolicies: both take effect with one commit.",
    "Swapping Publish with TransformResponse, or that with SendResponse: both are redacted either way.",
    "An update that writes blindly, in a server that runs one request after another: nothing comes between.",
    "What the store keeps of a secret: no answer may show it.",
)
SHOWN = 12


def page_of(stored: Mapping[str, Sequence[str]], of_generated: Mapping[str, Sequence[str]]) -> str:
    """Return the page (Markdown) that shows the stored sets: requirement ids by the name of a wrong server."""
    names = sins()
    lines = [
        "# The kill matrix",
        "",
        "Each row is a server that is wrong in one way, and the requirements that the conformance suite finds broken",
        "in it: exactly these, no others. `make mutants`, which CI runs, judges each by these; a requirement that it",
        "no longer fails, or that nothing breaks, is a fault. `make mutants ARGS=--exact` judges each by all of them:",
        "one that it newly fails is a fault as well. The reference's mutants run over durable LevelDB and relaxed",
        "SQLite in turns, with the fast paths that people use; each fifth runs without. `--store both` takes all of",
        "them over both, and the sets are the same. Servers named `second:` are defects planted in a second server",
        "that shares no code with the reference; `command:` are started, killed, started again; `replicas:` are sets",
        "of two servers, judged by what is asked of replicas. Up to three that",
        "differ from their sets are judged once more, which is told: a busy machine may hide a race.",
        "",
        f"{len(stored)} wrong servers, {len({r for failing in stored.values() for r in failing})} requirements broken.",
        "",
        "| server | sin | profile | broken requirements |",
        "|---|---|---|---|",
    ]
    for name, failing in ((name, failing) for name, failing in stored.items() if name in names):
        sin, profile = names[name]
        lines.append(f"| `{name}` | {sin} | {profile} | {len(failing)}: {_short(failing)} |")
    lines += ["", *_generated_lines(of_generated)]
    lines += ["", "## Changes that nothing outside can see", "", *(f"- {line}" for line in EQUIVALENT), ""]
    return "\n".join(lines)


def _generated_lines(stored: Mapping[str, Sequence[str]]) -> list[str]:
    made = generated()
    killed = sum(bool(failing) for failing in stored.values())
    alike = sum(bool(mutant.equivalent) for mutant in made.values())
    lines = [
        "## Generated wrong servers",
        "",
        "An operator spoils one step in every operation that has it (`tests/mutants/operators.py`); what it makes is",
        "judged by the requirements that concern it, those whose sin is rare by a run of ordinary size.",
        "",
        f"{len(made)} are made: {killed} killed, {alike} equivalent (below, with the reason), none open.",
        "",
        "| operator | made | killed | equivalent | broken requirements |",
        "|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(operator.name for operator in OPERATORS):
        own = {one: mutant for one, mutant in made.items() if one.partition("/")[0] == name}
        sets = [stored.get(one, ()) for one in own]
        broken = list(dict.fromkeys(requirement for failing in sets for requirement in failing))
        same = sum(bool(mutant.equivalent) for mutant in own.values())
        lines.append(f"| {name} | {len(own)} | {sum(map(bool, sets))} | {same} | {len(broken)}: {_short(broken)} |")
    reasons = [(name, mutant.equivalent) for name, mutant in made.items() if mutant.equivalent]
    return [*lines, "", *(f"- `{name}`: {reason}." for name, reason in reasons)]


def _short(failing: Sequence[str]) -> str:
    shown = ", ".join(failing[:SHOWN])
    return shown if len(failing) <= SHOWN else f"{shown}, …"
