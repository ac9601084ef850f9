"""Make the project's environment in `.venv`, with nothing but a Python 3.11 or newer (or uv) and git.

`python3 bootstrap.py` is what `make` runs before every target. It does nothing when the environment matches
`requirements.lock` and `pyproject.toml`, and otherwise installs the locked packages (hashes checked) and the
project itself. uv is used when it is there; else the first of python3.11, python3.12 and python3 that runs.

Standard library only, and no syntax newer than Python 3.7: an old interpreter must get far enough to say so.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "parity-environment"
LOCK = ROOT / "requirements.lock"
INPUTS = (LOCK, ROOT / "pyproject.toml", ROOT / "bootstrap.py")

OLDEST = (3, 11)
SERVED = ("3.11", "3.12", "3.13", "3.14")  # what every locked package is built for, the first choice first
INTERPRETERS = (*(f"python{version}" for version in SERVED), "python3", "python")
PROBE = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
PROBE_SECONDS = 20
INSTALL_SECONDS = 900


class Unable(Exception):
    """The environment can't be made; the message says why and what to do."""


def main() -> int:
    """Bring the environment up to date; return the exit code."""
    try:
        if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == fingerprint() and runs(venv_python()):
            return 0
        install()
    except Unable as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    STAMP.write_text(fingerprint(), encoding="utf-8")
    warn_about_leveldb()
    return 0


def fingerprint() -> str:
    """Hash of everything that the environment is made of: the inputs, and the place (scripts hold its path)."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in INPUTS:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install() -> None:
    """Make `.venv` and fill it: with uv where that works, else with venv and pip. Raises Unable."""
    uv = shutil.which("uv")
    if uv:
        try:
            install_with_uv(uv)
        except Unable as error:
            say(f"uv did not manage ({error}); trying venv and pip")
        else:
            return
    install_with_pip()


def install_with_uv(uv: str) -> None:
    """Use uv, which fetches a Python of its own if the machine has none that fits."""
    if not usable_venv():
        for version in SERVED:
            made = run([uv, "venv", "--quiet", "--clear", "--python", version, str(VENV)])
            if made.returncode == 0:
                break
        else:
            raise Unable(f"no Python {', '.join(SERVED)}: {last_line(made)}")
    say("installing the locked packages with uv")
    pip = [uv, "pip", "install", "--quiet", "--python", str(venv_python())]
    must([*pip, "--require-hashes", "--requirement", str(LOCK)])
    must([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])


def install_with_pip() -> None:
    """Use the first interpreter that fits, the standard library's venv, and pip."""
    if not (usable_venv() and runs(venv_python(), "import pip")):
        make_venv(find_interpreter())
    say("installing the locked packages with pip")
    pip = [str(venv_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    must([*pip, "--require-hashes", "--requirement", str(LOCK)])
    must([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])


def make_venv(interpreter: str) -> None:
    """Make `.venv` anew. Raises Unable, with the package to install, where Debian has split venv off."""
    say(f"making .venv with {interpreter}")
    made = run([interpreter, "-m", "venv", "--clear", str(VENV)])
    if made.returncode != 0:
        detail = (made.stdout + made.stderr).strip()
        raise Unable(
            f"`{interpreter} -m venv` failed:\n{detail}\n"
            "On Debian and Ubuntu: apt-get install python3-venv; or install uv. Then run make again."
        )


def find_interpreter() -> str:
    """Return the first interpreter on PATH that starts and is new enough; names alone prove nothing (shims)."""
    seen = []
    for name in INTERPRETERS:
        for folder in os.get_exec_path():
            candidate = Path(folder) / name
            version = version_of(str(candidate)) if candidate.is_file() else None
            if version is None:
                continue
            if version >= OLDEST:
                return str(candidate)
            seen.append(f"{candidate} ({version[0]}.{version[1]})")
    found = ", ".join(seen) or "none"
    raise Unable(
        f"Python 3.11 or newer is needed. Found: {found}.\n"
        "Install python3.11 or a newer one (with its venv package), or uv, which fetches one. Then run make again."
    )


def version_of(interpreter: str) -> tuple[int, int] | None:
    """Return (major, minor) of an interpreter that has venv, or None if it doesn't run."""
    try:
        answer = run([interpreter, "-c", PROBE], seconds=PROBE_SECONDS)
    except Unable:
        return None
    match = re.fullmatch(r"(\d+)\.(\d+)", answer.stdout.strip())
    return (int(match.group(1)), int(match.group(2))) if match and answer.returncode == 0 else None


def usable_venv() -> bool:
    """Whether `.venv` is there, belongs to this place and has a Python that is new enough."""
    version = version_of(str(venv_python())) if venv_python().exists() else None
    return version is not None and version >= OLDEST


def venv_python() -> Path:
    """Path of the environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def runs(interpreter: Path, program: str = "") -> bool:
    """Whether the interpreter starts and gets through the program."""
    return interpreter.exists() and run([str(interpreter), "-c", program], seconds=PROBE_SECONDS).returncode == 0


def must(command: list[str]) -> None:
    """Run an installing command; raise Unable with what it said when it fails."""
    done = run(command)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise Unable(
            f"could not install. `{' '.join(command)}` said:\n{said}\n"
            "Packages come from the index that pip or uv is set up for. Is the network there? Behind a mirror, set "
            "PIP_INDEX_URL (for uv: UV_DEFAULT_INDEX). Then run make again."
        )


def run(command: list[str], seconds: int = INSTALL_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, output kept. Raises Unable if it can't be started or takes too long."""
    # A virtual environment that is active in the caller's shell must not be the one that gets filled.
    environment = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=environment)
    except OSError as error:
        raise Unable(f"`{command[0]}` can't be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise Unable(f"`{' '.join(command)}` did not finish within {seconds} s; run make again") from error


def warn_about_leveldb() -> None:
    """Say what is missing, and how to get it, where the LevelDB driver isn't built for this Python or system."""
    if not (runs(venv_python(), "import plyvel") or runs(venv_python(), "import plyvel_next")):
        say(
            "note: the LevelDB driver (plyvel, plyvel-next) is not available for this Python; its stores are left\n"
            f"out, all else works. To have them: install Python {SERVED[0]} to {SERVED[-1]} (or uv), delete .venv,\n"
            "run make again."
        )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of what a command said."""
    return ((done.stdout + done.stderr).strip().splitlines() or ["no output"])[-1].strip()


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
