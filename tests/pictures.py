"""The README's pictures, of a real run: `python -m tests.pictures` judges a wrong server, and draws terminal and page.

Stale are they when the page is made by other sources than those that they were made of; a test says so.
"""

from __future__ import annotations

import hashlib
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import orjson
from rich.console import Console
from rich.text import Text

from reports.tests.browser import find_browser, running
from reports.write import Format, write_all

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
PAGE, TERMINAL, STAMP = "page.png", "terminal.svg", "made-of.json"
DEFECT = "duplicate_answered_ok"
TARGET = "cmd:./my-server --port {port}"
"""What the pictures call the server: that of the README's words, not of this machine's."""
OUT = "parity-report"
COLUMNS = 100
SECONDS_MAX = 240
SHOWN = (
    *(f"reports/html/templates/{name}.html.j2" for name in ("shell", "page", "summary", "mending")),
    "reports/html/assets/page.*",
    "reports/html/palette.py",
    "reports/views/answers.py",
)


def sources() -> dict[str, str]:
    """Return what the pictures show, file by file, with a digest of each."""
    files = sorted(path for pattern in SHOWN for path in ROOT.glob(pattern))
    return {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stale() -> list[str]:
    """Return the files that have changed since the pictures were made; all if there are none."""
    made_of = orjson.loads((PICTURES / STAMP).read_bytes()) if (PICTURES / STAMP).exists() else {}
    now = sources()
    return [name for name in {**made_of, **now} if made_of.get(name) != now.get(name)]


def draw() -> Iterator[Path]:
    """Judge the wrong server and make the pictures; yield each."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parity-pictures-") as name:
        run = Path(name) / OUT
        server = f"{sys.executable} -m tests.second_server.server --port {{port}} --profile oss --defect {DEFECT}"
        command = ["conform", f"cmd:{server}", "--name", TARGET, "--profile", "oss", "--quick", "--out", OUT]
        yield _terminal(_said([sys.executable, "-m", "parity.main", *command], Path(name)))
        yield _page(run, Path(name))
    (PICTURES / STAMP).write_bytes(orjson.dumps(sources(), option=orjson.OPT_INDENT_2) + b"\n")


def _said(command: list[str], folder: Path) -> str:
    """Return what a command says to a terminal of a fixed width, colours and all."""
    ours, theirs = pty.openpty()
    terminal = {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "LINES": "50"}
    environment = {**os.environ, **terminal, "PYTHONPATH": str(ROOT)}
    said = bytearray()
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, cwd=folder, env=environment) as process:
        os.close(theirs)
        try:
            while chunk := os.read(ours, 65536):
                said += chunk
        except OSError:  # the end, as Linux tells it of a terminal
            pass
        process.wait(SECONDS_MAX)
    os.close(ours)
    return said.decode("utf-8", "replace").replace("\r\n", "\n")


def _terminal(said: str) -> Path:
    typed = shlex.join(["parity", "conform", TARGET, "--out", OUT])
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ {typed}\n{said.strip()}"))
    drawing = console.export_svg(title="parity conform", unique_id="terminal")
    # The fonts would be fetched from elsewhere; the reader's own does as well.
    drawing = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL).replace("Fira Code", "monospace")
    (PICTURES / TERMINAL).write_text(drawing + "\n", encoding="utf-8")
    return PICTURES / TERMINAL


def _page(run: Path, scratch: Path) -> Path:
    page = write_all(run, formats=[Format.HTML])[Format.HTML]
    executable = find_browser()
    if executable is None:
        sys.exit("error: no Chromium on this machine; install it (Debian package: chromium)")
    with running(executable, scratch) as browser:
        browser.open(page, width=1100, height=760)
        browser.picture(PICTURES / PAGE, whole=False)
    return PICTURES / PAGE


def main() -> None:
    """Make the pictures and print where they are."""
    for picture in draw():
        sys.stdout.write(f"{picture.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
