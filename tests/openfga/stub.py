"""What stands between a server and OpenFGA, and answers badly: late, with errors, with something else, with nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW_SECONDS = 10.0
"""Longer than whatever a server waits for."""

BAD_ANSWERS: dict[str, tuple[int, bytes]] = {
    "error": (503, b'{"code":"unavailable","message":"try later"}'),
    "too many": (429, b'{"message":"rate limit"}'),
    "page": (200, b"<html>Welcome to the proxy</html>"),
    "list": (200, b"[]"),
    "nothing": (200, b'{"result":{}}'),
    "check error": (200, b'{"result":{"0":{"error":{"message":"too complex"}}}}'),
    "forbidden": (403, b'{"message":"not for you"}'),
}
SLOW, HANGS_UP = "slow", "hangs up"


class Between(ThreadingHTTPServer):
    """Hands requests on to OpenFGA, but answers those whose path ends with `path` as `mode` says."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.path, self.mode = "", ""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers that leave are what is tested."""

    @contextmanager
    def misbehaving(self, path: str, mode: str) -> Iterator[None]:
        """Answer badly for as long as a block lasts."""
        self.path, self.mode = path, mode
        try:
            yield
        finally:
            self.mode = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Between

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of the base
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        mode = self.server.mode if self.path.endswith(self.server.path) else ""
        if mode == HANGS_UP:
            self.close_connection = True
            return
        if mode == SLOW:
            time.sleep(SLOW_SECONDS)
        status, answer = BAD_ANSWERS.get(mode) or self._handed_on(body)
        with suppress(OSError):
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def _handed_on(self, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(self.command, self.path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@contextmanager
def between(port: int) -> Iterator[Between]:
    """Stand before the OpenFGA on a port for as long as a block lasts."""
    stub = Between(port)
    thread = threading.Thread(target=stub.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        stub.server_close()
        thread.join()
