"""The native program as a process: one that keeps a store open and answers requests, or one that does one thing."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.children.run import ChildFailed
from benchmarks.native.build import program
from benchmarks.results import Subject

DEADLINE_S = 300.0
"""The longest request of a full run, overwriting some thousand agents, takes seconds; one of minutes hangs."""
_TAIL = 300


class Answer(BaseModel):
    """What the program says to a request. Values are microseconds per agent, agents their wire form."""

    model_config = ConfigDict(frozen=True, val_json_bytes="base64")

    values: tuple[float, ...] = ()
    agents: tuple[bytes, ...] = ()
    count: int = 0
    settings: dict[str, str] = {}
    error: str = ""


def command_of(what: str, subject: Subject, folder: Path, *rest: str) -> list[str]:
    """Return the command line of one run of the program over a subject's store in a folder."""
    return [
        str(program(subject.engine).path()),
        what,
        subject.engine,
        subject.codec,
        subject.durability,
        str(folder),
        *rest,
    ]


def run_once(command: list[str], standard_input: str = "") -> str:
    """Run the program to its end and return what it printed. Raises ChildFailed."""
    try:
        done = subprocess.run(
            command, input=standard_input, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ChildFailed(f"the native program did not {command[1]} within {DEADLINE_S:.0f} s") from error
    if done.returncode:
        raise ChildFailed(f"the native program failed to {command[1]}: {done.stderr.strip()[-_TAIL:]}")
    return done.stdout


def settings_of(subject: Subject, directory: Path) -> str:
    """Return what a subject's new store says of its settings, in one line. Raises ChildFailed."""
    with tempfile.TemporaryDirectory(prefix="settings-", dir=directory) as folder:
        agents = Path(folder) / "agents.bin"
        agents.touch()
        session = Session(subject, Path(folder) / "store", agents)
        try:
            said = session.ask("settings").settings
        finally:
            session.close()
    return f"{subject.label}: " + ", ".join(f"{name} {value}" for name, value in said.items())


class Session:
    """A store that the program keeps open, until `close`."""

    def __init__(self, subject: Subject, folder: Path, agents: Path) -> None:
        """Start the program on a folder and a payload file."""
        folder.mkdir(parents=True, exist_ok=True)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            command_of("serve", subject, folder, str(agents)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, do: str, **arguments: Any) -> Answer:  # noqa: ANN401 - becomes JSON
        """Send a request and return the answer. Raises ChildFailed, also for what the store refused."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ChildFailed("the native program was started without pipes")
        deadline = threading.Timer(DEADLINE_S, self._process.kill)
        deadline.start()
        try:
            stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            stdin.flush()
            answer = Answer.model_validate_json(stdout.readline())
        except (OSError, ValidationError) as error:
            raise ChildFailed(f"the native program gave no answer to {do!r}: {self._last_words()}") from error
        finally:
            deadline.cancel()
        if answer.error:
            raise ChildFailed(f"{do}: {answer.error}")
        return answer

    def close(self) -> None:
        """Close the store and end the program. Raises ChildFailed when that doesn't work."""
        with self._said:
            try:
                self._process.communicate(timeout=DEADLINE_S)
            except subprocess.TimeoutExpired as error:
                self._process.kill()
                self._process.wait()
                raise ChildFailed("the native program did not close its store") from error
            if self._process.returncode:
                raise ChildFailed(f"the native program ended badly: {self._last_words()}")

    def _last_words(self) -> str:
        self._said.seek(0)
        return self._said.read()[-_TAIL:].decode(errors="replace").strip() or "it said nothing"
