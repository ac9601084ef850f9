"""What the commands print of names is what was written: `:smile:` is no picture, `[bold]` no markup."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from parity.main import run
from stores.registry import open_store
from stores.suite.samples import put

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("stores", "reference_server", "conformance", "benchmarks", "reports", "parity", "terminal")
NAME = ":smile: [bold]x[/bold] [red]"


def consoles(source: str) -> list[ast.Call]:
    """Return the calls in a module that make a console of rich's."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Console"]


def draws_pictures(call: ast.Call) -> bool:
    return not any(word.arg == "emoji" and ast.unparse(word.value) == "False" for word in call.keywords)


def test_a_console_that_draws_pictures_is_seen() -> None:
    source = "Console(); Console(stderr=True); Console(emoji=True); Console(width=1, emoji=False)"
    assert [draws_pictures(call) for call in consoles(source)] == [True, True, True, False]


def test_no_console_draws_pictures() -> None:
    modules = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "tests" not in path.parts]
    found = {path: consoles(path.read_text(encoding="utf-8")) for path in modules}
    assert sum(map(len, found.values())) > 10
    assert [str(path.relative_to(ROOT)) for path, calls in found.items() if any(map(draws_pictures, calls))] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["stores", "export", "sqlite:{there}", "{new}"], 0),
        (["stores", "import", "{exported}", "sqlite:{new}"], 0),
        (["stores", "salvage", "sqlite:{there}", "--to", "sqlite:{new}"], 0),
        (["stores", "verify", "sqlite:{new}"], 3),
        (["stores", "export", "leveldb:{new}", "{exported}.2"], 3),
        (["restore", "{new}", "--to", "sqlite:{new}.2"], 2),
        (["backup", "--address", "unix:{new}", "--out", "{exported}"], 2),
        (["bench", "compare", "{new}", "{new}"], 2),
    ],
)
def test_names_are_printed_as_written(
    words: list[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, new = tmp_path / "there", tmp_path / NAME.replace("/", "-")
    with open_store(f"sqlite:{there}", create=True) as store:
        store.commit([put("a")])
    exported = tmp_path / f"exported {new.name}"
    names = {"there": str(there), "new": str(new), "exported": str(exported)}
    assert run(["stores", "export", f"sqlite:{there}", str(exported)]) == 0
    capsys.readouterr()
    assert run([word.format(**names) for word in words]) == code
    told = "".join(capsys.readouterr()).replace("\n", "")
    assert ":smile:" in told
    assert "[bold]" in told
