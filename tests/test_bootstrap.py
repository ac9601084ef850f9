"""The script that makes the environment: which interpreter it takes, when it works anew, what it says."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fake_interpreter(folder: Path, name: str, answer: str, code: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_shim_that_does_not_run_is_passed_over(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_interpreter(tmp_path / "shims", "python3.11", "3.11: command not found", code=127)
    good = fake_interpreter(tmp_path / "bin", "python3.12", "3.12")
    fake_interpreter(tmp_path / "bin", "python3.13", "3.13")
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}{os.pathsep}{tmp_path / 'bin'}")
    assert bootstrap.find_interpreter() == str(good)


def test_a_second_place_on_path_is_tried(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_interpreter(tmp_path / "shims", "python3.11", "", code=127)
    good = fake_interpreter(tmp_path / "bin", "python3.11", "3.11")
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}{os.pathsep}{tmp_path / 'bin'}")
    assert bootstrap.find_interpreter() == str(good)


def test_any_new_python3_serves_where_no_other_is(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = fake_interpreter(tmp_path / "bin", "python3", "3.15")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert bootstrap.find_interpreter() == str(good)


def test_only_old_interpreters_are_refused_by_name(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_interpreter(tmp_path / "bin", "python3", "3.9")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(bootstrap.Unable, match=r"3\.11 or newer is needed") as refused:
        bootstrap.find_interpreter()
    assert f"{old} (3.9)" in str(refused.value)


def test_a_failed_install_says_what_failed_and_what_to_do(bootstrap: ModuleType) -> None:
    with pytest.raises(bootstrap.Unable, match="no such package") as failed:
        bootstrap.must([sys.executable, "-c", "import sys; sys.exit('no such package')"])
    assert "run make again" in str(failed.value)


def test_fingerprint_follows_the_inputs(bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("one", encoding="utf-8")
    monkeypatch.setattr(bootstrap, "INPUTS", (lock,))
    before = bootstrap.fingerprint()
    assert bootstrap.fingerprint() == before
    lock.write_text("two", encoding="utf-8")
    assert bootstrap.fingerprint() != before


def test_an_environment_that_is_up_to_date_is_left_alone(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = tmp_path / "stamp"
    stamp.write_text(bootstrap.fingerprint(), encoding="utf-8")
    monkeypatch.setattr(bootstrap, "STAMP", stamp)
    monkeypatch.setattr(bootstrap, "venv_python", lambda: Path(sys.executable))
    monkeypatch.setattr(bootstrap, "install", lambda: pytest.fail("installed although nothing changed"))
    assert bootstrap.main() == 0


def test_the_lock_names_no_host_and_hashes_everything() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("--")]
    pinned = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert pinned
    assert all("==" in line and line.endswith("\\") for line in pinned)


def test_every_dependency_is_locked() -> None:
    """A dependency that was added without `make lock` would be missing on every other machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=;! ]", requirement)[0].lower() for requirement in wanted}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert names - set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)) == set()


def test_the_script_needs_nothing_but_the_standard_library() -> None:
    """`-I -S` hides every installed package, this project included."""
    program = "import runpy; runpy.run_path('bootstrap.py', run_name='read')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
