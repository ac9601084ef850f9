"""`parity report serve`: follow a run in a browser while it goes on; then its page stays there."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import asdict
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import orjson
import typer

from parity.following import Follower, State
from parity.problems import Problem
from reports.cli import report
from reports.errors import RunUnreadable
from reports.html import render_page
from reports.html.live import render_live
from reports.read import check_directory, read_run

LOOK_SECONDS = 1.0
HOST = "127.0.0.1"


class Watched:
    """What is known of a run, for all who look at it."""

    def __init__(self, directory: Path) -> None:
        """Look once, so that there is something to tell."""
        self.directory = directory
        self._follower = Follower(directory)
        self._changed = threading.Condition()
        self._number, self._state = 0, self._follower.state()

    def keep_looking(self) -> None:
        """Look each second until the run has ended."""
        while not self._state.finished:
            time.sleep(LOOK_SECONDS)
            found = self._follower.state()
            with self._changed:
                if found != self._state:
                    self._number, self._state = self._number + 1, found
                    self._changed.notify_all()

    def after(self, number: int, seconds: float) -> tuple[int, State]:
        """Return the state once it is newer than `number`, or as it is after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number, seconds)
            return self._number, self._state

    def page(self) -> str:
        """Return the run's page once it has ended; until then the one that follows it."""
        if not self.after(-1, 0)[1].finished:
            return render_live(self.directory.resolve().name)
        try:
            return render_page(read_run(self.directory))
        except RunUnreadable as error:
            return render_live(self.directory.resolve().name, str(error))


class Handler(BaseHTTPRequestHandler):
    """Two addresses: the page, and the events of the run."""

    protocol_version = "HTTP/1.1"

    def __init__(self, watched: Watched, *arguments: object) -> None:
        """Serve one connection."""
        self._watched = watched
        super().__init__(*arguments)  # type: ignore[arg-type] # as socketserver calls it

    def do_GET(self) -> None:
        """Answer. Another host name than this machine's own is a page elsewhere that reaches in."""
        name = self.headers.get("Host", "").rpartition(":")[0]
        if name not in {HOST, "localhost"}:
            self.send_error(403, "ask by 127.0.0.1")
        elif self.path == "/":
            self._send_page()
        elif self.path == "/events":
            self._send_events()
        else:
            self.send_error(404)

    def _send_page(self) -> None:
        body = self._watched.page().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _send_events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        number = -1
        try:
            while True:
                newer, state = self._watched.after(number, 15.0)
                told = b"data: " + orjson.dumps(asdict(state)) if newer > number else b": still here"
                self.wfile.write(told + b"\n\n")
                self.wfile.flush()
                number = newer
                if state.finished:
                    return
        except OSError:
            return  # The reader has gone.

    def log_message(self, *_: object) -> None:
        """Say nothing for each request."""


@report.command()
def serve(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that a run writes to, or wrote.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0: any free one.")] = 0,
) -> None:
    """Show a run in a browser while it goes on, its first failures as they come; then its page. Ctrl-C ends."""
    check_directory(directory)
    watched = Watched(directory)
    try:
        server = ThreadingHTTPServer((HOST, port), partial(Handler, watched))
    except OSError as error:
        raise Problem(f"port {port}: {error.strerror}", hint="Leave --port out for any free one.") from error
    threading.Thread(target=watched.keep_looking, daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # here Ctrl-C ends what is done, and breaks nothing off
    print(f"http://{HOST}:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        print("ended")
    finally:
        server.server_close()
