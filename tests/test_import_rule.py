"""Who may import whom. The rooms stay apart, so that the suite judges strangers and a server is known by its address.

Read with `ast`, so that an import inside a function counts as well. Tests may cross rooms, and are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ALLOWED: dict[str, tuple[str, ...]] = {
    "protos": (),
    "terminal": (),
    "stores": ("protos", "terminal"),
    "reference_server": ("stores", "protos", "terminal"),
    "reference_server.client": ("protos", "terminal"),
    "conformance": ("protos", "terminal"),
    "benchmarks": ("stores", "protos", "terminal"),
    "reports": (
        "conformance.cause",
        "conformance.evidence",
        "conformance.evidence_file",
        "conformance.verdict",
        "conformance.verdicts_file",
        "benchmarks.results",
        "terminal",
    ),
    "parity": ("protos", "stores", "reference_server", "conformance", "benchmarks", "reports", "terminal"),
}
"""What a package may import besides itself. The row with the longest name that fits a module holds for it."""

ROOMS = frozenset(name for name in ALLOWED if "." not in name)


def imported_names(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute module name) for each import statement and each `import_module("literal")`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=0):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                parts = package.split(".")[: len(package.split(".")) - level + 1]
                base = ".".join([*parts, *([module] if module else [])])
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name
            case _:
                pass


def row_of(module: str) -> str:
    """The name of the row of `ALLOWED` that holds for a module."""
    return max((name for name in ALLOWED if within(module, name)), key=len)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Sentences about the imports that break the rule; empty when none does."""
    row = row_of(module)
    package = module if is_package else module.rpartition(".")[0]
    return [
        f"{module}:{line} imports {name}; {row} may import only itself and: {', '.join(ALLOWED[row]) or 'nothing'}"
        for line, name in imported_names(source, package)
        if name.split(".")[0] in ROOMS and not any(within(name, allowed) for allowed in (row, *ALLOWED[row]))
    ]


def modules_of(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py") if "tests" not in path.relative_to(ROOT).parts)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_room_imports_only_what_it_may(room: str) -> None:
    paths = modules_of(room)
    assert paths, f"no modules found in {room}"
    found: list[str] = []
    for path in paths:
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        found += violations(path.read_text(encoding="utf-8"), module, is_package=is_package)
    assert not found, "\n".join(found)


def test_every_folder_with_code_has_a_row() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders - {"tests"} == ROOMS


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("conformance.runner", "from reference_server.server import serve"),
        ("conformance.runner", "import stores.contract"),
        ("conformance.runner", "from terminal.lines import width\nimport parity.main"),
        ("conformance.runner", "def late():\n    from stores import registry"),
        ("conformance.checks.create", "from ...stores import registry"),
        ("stores.memory", "import importlib\nimportlib.import_module('reports.read')"),
        ("stores.memory", "from parity import main"),
        ("benchmarks.load", "from reference_server.pipelines import CREATE"),
        ("reports.html", "from conformance.runner import run"),
        ("reports.html", "from conformance import runner"),
        ("reference_server.client.calls", "from stores.contract import Store"),
        ("reference_server.client.calls", "from reference_server.errors import Refused"),
        ("protos.options", "import stores"),
        ("terminal.fitting", "import protos"),
    ],
)
def test_rule_refuses(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("conformance.runner", "from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent"),
        ("conformance.runner", "import storesfront, grpc\nfrom . import verdict\nfrom .checks import create"),
        (
            "reports.html",
            "from conformance.verdict import Verdict\nfrom conformance import evidence\nimport reports.read",
        ),
        ("reference_server.client.calls", "from reference_server.client import channel"),
        ("parity.main", "import stores.cli\nfrom conformance import runner"),
    ],
)
def test_rule_accepts(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_relative_imports_are_resolved() -> None:
    assert list(imported_names("from .runner import run", "conformance")) == [(1, "conformance.runner.run")]
    assert list(imported_names("from . import run", "conformance.checks")) == [(1, "conformance.checks.run")]
    assert list(imported_names("from ..runner import run", "conformance.checks")) == [(1, "conformance.runner.run")]
