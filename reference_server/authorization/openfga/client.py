"""OpenFGA's HTTP API, as much of it as is needed. Each call ends within its time, with an answer or an OpenFgaError."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import aiohttp
import orjson

from reference_server.authorization.openfga.address import OpenFgaPlace
from reference_server.authorization.openfga.tls_errors import told
from reference_server.authorization.openfga.tuples import TupleKey

WRITE_TUPLES_MAX = 100
"""Tuples in one write. Source: OpenFGA's `--max-tuples-per-write`."""
CHECKS_MAX = 50
"""Checks in one batch. Source: OpenFGA's `--max-checks-per-batch-check`."""
CALL_SECONDS = 5.0
"""For what no caller waits for: writes, reads of the model."""
CONNECT_SECONDS = 1.0
_CONNECTIONS_MAX = 16
_PAGE = 100
_TOLD_MAX = 300
_PLAIN_TO_TLS = "HTTP request to an HTTPS server"
"""What a server in Go that speaks TLS answers to one that doesn't."""
_UNAUTHENTICATED, _TOO_MANY, _SERVER_ERROR = 401, 429, 500


class OpenFgaError(OSError):
    """OpenFGA didn't answer, or not with an answer. `passing`: the same question may be answered in a moment."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class Check(NamedTuple):
    """A question, and the tuples that count for it beside the stored ones."""

    key: TupleKey
    contextual: tuple[TupleKey, ...] = ()


class OpenFgaClient:
    """One OpenFGA server. Used on one event loop; `close` it there."""

    def __init__(self, place: OpenFgaPlace) -> None:
        self.place = place
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let the connections go."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def check(
        self, checks: Sequence[Check], model: str, *, fresh: bool, seconds: float
    ) -> list[bool | OpenFgaError]:
        """Answer at most 50 checks. `fresh`: by what is stored now, not by what OpenFGA may remember."""
        asked = [
            {"tuple_key": each.key._asdict(), "correlation_id": str(number)}
            | ({"contextual_tuples": {"tuple_keys": _keys(each.contextual)}} if each.contextual else {})
            for number, each in enumerate(checks)
        ]
        body = {
            "checks": asked,
            "authorization_model_id": model,
            "consistency": "HIGHER_CONSISTENCY" if fresh else "MINIMIZE_LATENCY",
        }
        answer = await self._call("POST", self._in_store("batch-check"), body, seconds)
        results = answer.get("result") or {}
        return [_outcome(results.get(str(number))) for number in range(len(checks))]

    async def write(self, added: Iterable[TupleKey], removed: Iterable[TupleKey], model: str) -> None:
        """Add and remove at most 100 tuples, all or none. What is there already, or gone already, is no error."""
        body: dict[str, Any] = {"authorization_model_id": model}
        if keys := _keys(added):
            body["writes"] = {"tuple_keys": keys, "on_duplicate": "ignore"}
        if keys := _keys(removed):
            body["deletes"] = {"tuple_keys": keys, "on_missing": "ignore"}
        await self._call("POST", self._in_store("write"), body)

    async def tuples(self) -> AsyncIterator[TupleKey]:
        """Yield all tuples of the store."""
        token = ""
        while True:
            page = await self._call("POST", self._in_store("read"), {"page_size": _PAGE, "continuation_token": token})
            for each in page.get("tuples") or ():
                yield TupleKey(each["key"]["user"], each["key"]["relation"], each["key"]["object"])
            token = page.get("continuation_token") or ""
            if not token:
                return

    async def model(self) -> Mapping[str, Any]:
        """Return the store's model: the one that the place names, or the latest. Its id is under `id`."""
        if self.place.model:
            found = await self._call("GET", self._in_store(f"authorization-models/{self.place.model}"))
            return dict(found["authorization_model"])
        latest = await self.latest_model()
        if latest is None:
            raise OpenFgaError(f"store {self.place.store} has no authorization model", passing=False)
        return latest

    async def latest_model(self) -> Mapping[str, Any] | None:
        """Return the store's latest model, if it has one."""
        found = await self._call("GET", self._in_store("authorization-models?page_size=1"))
        models = found.get("authorization_models") or []
        return dict(models[0]) if models else None

    async def make_store(self, name: str) -> str:
        """Make a store and return its id."""
        return str((await self._call("POST", "/stores", {"name": name}))["id"])

    async def write_model(self, store: str, model: Mapping[str, Any]) -> str:
        """Make a model the latest of a store and return its id."""
        return str((await self._call("POST", f"/stores/{store}/authorization-models", model))["authorization_model_id"])

    def _in_store(self, path: str) -> str:
        return f"/stores/{self.place.store}/{path}"

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, seconds: float = CALL_SECONDS
    ) -> dict[str, Any]:
        """Return the answer. Raises OpenFgaError."""
        data = None if body is None else orjson.dumps(body)
        try:
            async with asyncio.timeout(seconds):
                async with self._opened().request(method, self.place.server + path, data=data) as response:
                    status, raw = response.status, await response.read()
        except (TimeoutError, OSError, aiohttp.ClientError, ValueError) as error:
            what = f"no answer within {seconds:g} s" if isinstance(error, TimeoutError) else told(error, self.place.ca)
            raise OpenFgaError(f"{self.place.server}: {what}", passing=True) from None
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            answer = None
        if status == _UNAUTHENTICATED:
            await self.close()  # the token may be a new one by the next call
        if status >= _SERVER_ERROR or status == _TOO_MANY or not isinstance(answer, dict):
            raise OpenFgaError(self._refusal(status, _told(answer, raw)), passing=True)
        if status >= 300:  # noqa: PLR2004 - whatever isn't success
            raise OpenFgaError(self._refusal(status, _told(answer, raw)), passing=False)
        return answer

    def _refusal(self, status: int, said: str) -> str:
        """Say what was answered, and what to do where that is known."""
        advice = ""
        if _PLAIN_TO_TLS in said:
            advice = "; write https://"
        elif status == _UNAUTHENTICATED and self.place.token_file:
            advice = f"; is what is in {self.place.token_file} its key?"
        elif status == _UNAUTHENTICATED:
            advice = "; name a file with its key, ?token_file=FILE"
        return f"{self.place.server} answered {status}: {said.strip()}{advice}"

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"content-type": "application/json"}
            if self.place.token_file is not None:
                token = self.place.token_file.read_text(encoding="utf-8").strip()
                headers["authorization"] = f"Bearer {token}"
            tls = ssl.create_default_context(cafile=self.place.ca) if self.place.server.startswith("https:") else True
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, ssl=tls)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout)
        return self._session


def _keys(keys: Iterable[TupleKey]) -> list[dict[str, str]]:
    return [each._asdict() for each in keys]


def _outcome(result: Any) -> bool | OpenFgaError:  # noqa: ANN401 - what the server sent
    if isinstance(result, dict) and "error" not in result:
        return result.get("allowed") is True
    told = result.get("error") if isinstance(result, dict) else None
    return OpenFgaError(f"a check has no answer: {_told(told, b'none was sent')}", passing=False)


def _told(answer: Any, raw: bytes) -> str:  # noqa: ANN401 - what the server sent
    if isinstance(answer, dict) and answer.get("message"):
        return str(answer["message"])[:_TOLD_MAX]
    return raw[:_TOLD_MAX].decode("utf-8", "replace")
