"""A person's first hour with Parity, typed as the README says: `python -m tests.first_hour FOLDER` prints it all.

A fresh clone proves itself and its page is opened; a broken server is judged, what it says to mend first is mended, and
it is green; a store is chosen; agents are made with the client. It ends with 1 where something came out otherwise.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reports.tests.browser import find_browser, running

ROOT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 3600
SERVER = "python -m tests.second_server.server --profile oss --port"
DEFECT = "duplicate_answered_ok"
WIDTHS = (1440, 390)
AGENT = """\
apiVersion: agentic.stigmer.ai/v1
kind: Agent
metadata: {name: Reviewer, ownerScope: platform}
spec: {instructions: Read the change and say what is wrong with it.}
"""


def say(text: str) -> None:
    """Print a line at once: whoever looks on sees how far it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Person:
    """Types commands in the clone, and looks at what they say."""

    def __init__(self, clone: Path) -> None:
        """Sit down in front of the clone."""
        self.clone = clone
        self.surprises: list[str] = []
        tools = f"{clone / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.environment |= {"PATH": tools, "COLUMNS": "80"}

    def types(self, command: str, *, code: int = 0, sees: str = "", folder: Path | None = None) -> str:
        """Type a command, print it with all that it says, and note what isn't as expected."""
        say(f"\n$ {command}")
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder or self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        say(f"{done.stdout.rstrip()}\n[exit code {done.returncode}, {time.monotonic() - began:.1f} s]")
        if done.returncode != code:
            self.surprises.append(f"{command}: exit code {done.returncode}, not {code}")
        if sees not in done.stdout:
            self.surprises.append(f"{command}: says nothing of {sees!r}")
        return done.stdout

    @contextmanager
    def starts(self, command: str) -> Iterator[str]:
        """Start a server in another terminal, at a port in the place of `{port}`; yield its address as a target."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        words = command.replace("{port}", port)
        say(f"\n$ {words} &")
        with subprocess.Popen(
            shlex.split(words),
            cwd=self.clone,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                yield f"grpc://127.0.0.1:{port}"
            finally:
                server.terminate()


def proves(person: Person, folder: Path) -> None:
    """Clone, prove, and look at the first screen of the page."""
    person.types(f"git clone -q {shlex.quote(str(ROOT))} {person.clone}", folder=folder)
    said = person.types("make verify ARGS=--quick", sees="Verdict: conformant")
    page = re.search(r"^Report: +(\S+)", said, re.MULTILINE)
    executable = find_browser()
    if page is None or executable is None:
        person.surprises.append("no page, or no browser to open it in")
        return
    with running(executable, folder) as browser:
        for width in WIDTHS:
            browser.open(person.clone / page[1], width=width, height=900)
            browser.picture(folder / f"first-screen-{width}.png", whole=False)
            say(f"(looks at the page, {width} wide: {folder / f'first-screen-{width}.png'})")


def mends(person: Person) -> None:
    """Judge a broken server, follow what is to be mended first, and judge again."""
    with person.starts(f"{SERVER} {{port}} --defect {DEFECT}") as broken:
        said = person.types(f"parity conform {broken} --out broken", code=1, sees="Mend first")
        shown = re.search(r"shows in ([A-Z0-9-]+)", said)
        first = shown[1] if shown else "DUP-SLUG"
        person.types(f"parity requirements {first}", sees="Example, from the reference server")
        person.types(f"parity conform {broken} --only {first}", code=1, sees="FAIL")
    say(f"\n(mends it: a create whose slug is taken is refused; the server runs without --defect {DEFECT})")
    with person.starts(f"{SERVER} {{port}}") as mended:
        person.types(f"parity conform {mended} --out mended", sees=": conformant")
    person.types("parity compare broken mended", sees="mended")
    person.types("parity report mended", sees="report.html")


def works(person: Person) -> None:
    """Choose a store, serve it, and work with the client."""
    person.types("parity choose --records 7KB --reads 0.9 --durable", sees="Take ")
    (person.clone / "agent.yaml").write_text(AGENT, encoding="utf-8")
    say("\n$ parity serve --store sqlite:agents.db &")
    serve = ["parity", "serve", "--store", "sqlite:agents.db"]
    with subprocess.Popen(
        serve, cwd=person.clone, env=person.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            say(server.stdout.readline().rstrip() if server.stdout else "")
            person.types('parity agent create test-agent --name "Test Agent"', sees="test-agent")
            person.types("parity agent get test-agent -o yaml", sees="name: Test Agent")
            person.types("parity agent apply -f agent.yaml", sees="created")
            person.types("parity agent apply -f agent.yaml", sees="unchanged")
            person.types("parity agent get", sees="reviewer")
            person.types("parity instance list --agent test-agent", sees="default")
            person.types("parity agent create test-agent", code=1, sees="ALREADY_EXISTS")
            person.types("parity agent delete test-agent reviewer")
        finally:
            server.terminate()


def main() -> None:
    """Walk, and say what came out otherwise than a reader of the README expects."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    person = Person(folder / "parity")
    proves(person, folder)
    mends(person)
    works(person)
    say("\n" + ("\n".join(person.surprises) or "nothing came out otherwise than expected"))
    sys.exit(bool(person.surprises))


if __name__ == "__main__":
    main()
