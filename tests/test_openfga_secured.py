"""The way to OpenFGA over TLS, with a key from a file: who is trusted, what is sent, and when it is read again."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from parity.main import run as run_parity
from reference_server.authorization.openfga.address import parse_place
from reference_server.tests.certificates import Authority

pytest.importorskip("aiohttp", reason="the extra `openfga` isn't installed")

from reference_server.authorization.openfga.client import Check, OpenFgaClient, OpenFgaError
from reference_server.authorization.openfga.tuples import TupleKey

STORE = "01M8DB67704H5J0ZXMGWWVBQ4T"
QUESTION = Check(TupleKey("identity_account:a", "can_view", "agent:b"))


class Guarded(ThreadingHTTPServer):
    """Answers batches of checks with yes to whoever has the key, over TLS; remembers which keys were shown."""

    daemon_threads = True

    def __init__(self, key: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key, self.shown = key, list[str]()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers that trust somebody else hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Guarded

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        shown = self.headers.get("authorization", "")
        self.server.shown.append(shown)
        answer: dict[str, object] = {"result": {each["correlation_id"]: {"allowed": True} for each in asked["checks"]}}
        status = HTTPStatus.OK
        if shown != f"Bearer {self.server.key}":
            status, answer = HTTPStatus.UNAUTHORIZED, {"code": "bearer_token_missing", "message": "unauthenticated"}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of the base
        """Say nothing."""


@contextmanager
def serving(authority: Authority, key: str) -> Iterator[Guarded]:
    pair = authority.issue("openfga")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    server = Guarded(key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client_of(server: Guarded, ca: Path, token_file: Path) -> OpenFgaClient:
    address = f"https://127.0.0.1:{server.server_address[1]}"
    return OpenFgaClient(parse_place(f"openfga:{address}?store={STORE}&ca={ca}&token_file={token_file}"))


async def asked(client: OpenFgaClient) -> bool | OpenFgaError:
    """The answer to a question, be it that there is none."""
    try:
        (answer,) = await client.check([QUESTION], "", fresh=True, seconds=5.0)
    except OpenFgaError as error:
        return error
    return answer


def test_the_key_of_the_file_goes_to_whom_the_ca_has_signed(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    token = tmp_path / "token"
    token.write_text("s3cret-key\n", encoding="utf-8")

    async def scene(server: Guarded, ca: Path) -> bool | OpenFgaError:
        client = client_of(server, ca, token)
        try:
            return await asked(client)
        finally:
            await client.close()

    with serving(authority, "s3cret-key") as server:
        assert asyncio.run(scene(server, authority.cert)) is True
        assert server.shown == ["Bearer s3cret-key"]
        refused = asyncio.run(scene(server, stranger.cert))
        assert isinstance(refused, OpenFgaError)
        assert refused.passing, "its certificate may be the right one in a moment"
        assert "certificate verify failed" in str(refused)
        assert server.shown == ["Bearer s3cret-key"], "a stranger is told no key"


def test_a_key_that_is_refused_is_read_again(tmp_path: Path) -> None:
    authority, token = Authority(tmp_path), tmp_path / "token"
    token.write_text("old-s3cret", encoding="utf-8")

    async def scene(server: Guarded) -> list[bool | OpenFgaError]:
        client = client_of(server, authority.cert, token)
        try:
            before = await asked(client)
            server.key = "new-s3cret"
            refused = await asked(client)
            token.write_text("new-s3cret", encoding="utf-8")
            return [before, refused, await asked(client), await asked(client)]
        finally:
            await client.close()

    with serving(authority, "old-s3cret") as server:
        before, refused, after, again = asyncio.run(scene(server))
        assert [before, after, again] == [True, True, True]
        assert isinstance(refused, OpenFgaError)
        assert "answered 401: unauthenticated" in str(refused)
        assert "s3cret" not in str(refused)
        assert server.shown == [f"Bearer {key}-s3cret" for key in ("old", "old", "new", "new")]


@pytest.mark.parametrize("option", ["token_file", "ca"])
def test_a_missing_file_is_named_before_anybody_is_asked(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"https://127.0.0.1:9?store={STORE}&{option}=/no/such/file"
    for command in (
        ["authorizer", "install", place],
        ["authorizer", "verify", "memory:", f"openfga:{place}"],
        ["serve", "--profile", "cloud", "--store", "memory:", "--tokens", "t", "--authorizer", f"openfga:{place}"],
    ):
        assert run_parity(command) == 2, command
        assert "no such file: /no/such/file" in capsys.readouterr().err


def test_a_ca_beside_an_address_without_tls_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_parity(["authorizer", "install", f"http://127.0.0.1:9?ca={Authority(tmp_path).cert}"]) == 2
    assert "ca is for TLS: write https://" in capsys.readouterr().err
