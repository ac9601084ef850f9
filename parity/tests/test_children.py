"""Nothing that a command starts outlives it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parity.children import Children

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEADLINE_S = 60.0


def test_the_exit_code_is_the_childs(tmp_path: Path) -> None:
    with Children() as children, (tmp_path / "log").open("w") as log:
        assert children.run([sys.executable, "-c", "raise SystemExit(7)"], stdout=log, seconds=30) == 7


def test_a_child_that_takes_too_long_is_ended_and_that_is_written_down(tmp_path: Path) -> None:
    with Children() as children, (tmp_path / "log").open("w") as log:
        assert children.run(SLEEP, stdout=log, seconds=0.2) == 3
    assert "was ended" in (tmp_path / "log").read_text()


def test_leaving_ends_what_still_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, ThreadPoolExecutor(1) as pool:

        def run_one_then_break(children: Children) -> None:
            running = pool.submit(children.run, SLEEP, stdout=log, seconds=50)
            while not children._running and not running.done():
                time.sleep(0.01)
            raise KeyboardInterrupt

        children = Children()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt), children:
            run_one_then_break(children)
        assert pool.submit(children.run, SLEEP, stdout=log, seconds=50).result() == 3
        assert time.monotonic() - begun < 40


def test_a_terminated_run_leaves_no_server_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "parity.main", "conform", "store:memory:", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = port_in(out / "server.log", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 128 + signal.SIGTERM
    finally:
        process.kill()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def port_in(log: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that the server says it serves on, as soon as it does."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and (found := re.search(r'"address": "127\.0\.0\.1:(\d+)"', log.read_text())):
            return int(found.group(1))
        time.sleep(0.02)
    raise AssertionError("the server was not seen to serve")
