"""The wheel: what is in it, and that the installed command runs from it alone."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("reference_server", "stores", "conformance", "benchmarks", "protos", "reports", "parity", "terminal")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    return built


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_everything_that_runs_is_in_it_and_no_tests(wheel: Path) -> None:
    packed = names(wheel)
    tracked = subprocess.run(
        ["git", "ls-files", "--", *ROOMS], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    missing = [name for name in tracked if "/tests/" not in name and name not in packed]
    assert missing == []
    assert [name for name in packed if "/tests/" in name] == []
    assert {name.split("/")[0] for name in packed if ".dist-info/" not in name} == set(ROOMS)


def test_the_installed_command_runs_from_it(wheel: Path, tmp_path: Path) -> None:
    """Dependencies come from this environment's folder; the project itself can come from the wheel only."""
    place = tmp_path / "venv"
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, timeout=100)
    (site,) = (place / "lib").glob("python*/site-packages")
    # A folder added by a .pth file has its own .pth files left unread: so not the editable install of this project.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    helped = output_of([str(place / "bin" / "parity"), "--help"], tmp_path)
    assert "verify" in helped
    where = output_of([str(python), "-c", "import parity, stores; print(parity.__file__, stores.__file__)"], tmp_path)
    assert str(ROOT) not in where
    assert where.count(str(site)) == 2


def output_of(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout
