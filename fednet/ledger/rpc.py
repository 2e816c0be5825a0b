"""JSON-RPC over one kept connection, as a web3 provider.

web3's own HTTP provider spends ten times as much CPU on a small request, which
ten nodes that poll on two cores cannot afford. Says nothing about contracts.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import ssl
import threading
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, cast
from urllib.parse import unquote, urlsplit

from fednet.errors import LedgerUnavailableError, SettingsError
from fednet.ledger.library import JSONBaseProvider, RPCEndpoint, RPCResponse

Json: TypeAlias = Any
"""What JSON-RPC takes and gives."""
TIMEOUT_SECONDS = 30.0
_MAX_ANSWER_SIZE_BYTES = 256 << 20
_BROKEN = (OSError, http.client.HTTPException)
_NOT_RUNNING = "start a local chain with `fednet chain start`, or check chain.url in fednet.toml"


class RpcRefusedError(Exception):
    """Carry a JSON-RPC error; translated before it leaves the ledger."""

    def __init__(self, method: str, error: dict[str, Json]) -> None:
        self.method = method
        self.code = error.get("code", 0)
        self.text = str(error.get("message", ""))
        self.data = error.get("data")
        super().__init__(f"{method}: {self.text}")


class Rpc(Protocol):
    """Answer JSON-RPC requests: a node, or a bundle that recorded one."""

    @property
    def connections(self) -> int:
        """Count the connections made."""
        ...

    def call(self, method: str, *params: object) -> Json:
        """Send one request and return its result."""
        ...

    def batch(self, *calls: tuple[Json, ...]) -> list[Json]:
        """Send several requests at once, each a method and its parameters."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class JsonRpc(JSONBaseProvider):
    """Call a chain; each thread keeps a connection of its own.

    Args:
        url: ``http://`` or ``https://``; a user name and password in it become
            basic authentication.
        timeout_seconds: Longest silence of the chain.

    Raises:
        SettingsError: The address is not one.
    """

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        super().__init__()
        self._host, self._port = _host_and_port(url)
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self.subject = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._timeout_seconds = timeout_seconds
        self._kept = threading.local()
        self._ids = itertools.count(1)
        self.connections = 0
        """Counts the connections made, so that a reader knows when to check the chain again."""

    def make_request(self, method: RPCEndpoint, params: Json) -> RPCResponse:
        """Send one request as web3 asks for it, errors included in the answer."""
        return cast(RPCResponse, self._post(self._request(method, params), True))

    def call(self, method: str, *params: object, again: bool = True) -> Json:
        """Send one request and return its result.

        Args:
            again: Whether the request may be sent twice if a kept connection
                turns out to be dead; false for what must not happen twice.

        Raises:
            RpcRefusedError: The chain answered with an error.
            LedgerUnavailableError: It did not answer.
        """
        return self._result(method, self._post(self._request(method, params), again))

    def batch(self, *calls: tuple[Json, ...], again: bool = True) -> list[Json]:
        """Send several requests at once, each a method and its parameters; see `call`."""
        requests = [self._request(method, params) for method, *params in calls]
        answers = self._post(requests, again)
        if not isinstance(answers, list):
            raise LedgerUnavailableError("does not take batches", subject=self.subject)
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        return [
            self._result(str(request["method"]), by_id.get(request["id"])) for request in requests
        ]

    def close(self) -> None:
        """Close this thread's connection."""
        self._kept.__dict__.pop("held", None)

    def _request(self, method: str, params: Sequence[object]) -> dict[str, Json]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _result(self, method: str, answer: Json) -> Json:
        if not isinstance(answer, dict) or not ("result" in answer or "error" in answer):
            raise LedgerUnavailableError("not a JSON-RPC answer", subject=self.subject)
        error = answer.get("error")
        if error is not None:
            raise RpcRefusedError(method, error if isinstance(error, dict) else {"message": error})
        return answer["result"]

    def _post(self, request: Json, again: bool) -> Json:
        body = json.dumps(request, separators=(",", ":")).encode()
        held: _Held | None = getattr(self._kept, "held", None)
        if held is not None:
            try:
                return self._exchange(held.connection, body)
            except TimeoutError as exc:
                raise self._unavailable(exc) from exc
            except _BROKEN as exc:
                # A chain closes a connection that was idle for long; that is no fault.
                self.close()
                if not again:
                    raise self._unavailable(exc) from exc
        try:
            return self._exchange(self._connect(), body)
        except _BROKEN as exc:
            raise self._unavailable(exc) from exc

    def _connect(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_seconds,
                context=ssl.create_default_context(),
            )  # fmt: skip
        else:
            connection = http.client.HTTPConnection(
                self._host, self._port, timeout=self._timeout_seconds
            )
        # Older than the socket, as what is garbage together is finalised by age.
        held = _Held(connection)
        connection.connect()
        self._kept.held = held
        self.connections += 1
        return connection

    def _exchange(self, connection: http.client.HTTPConnection, body: bytes) -> Json:
        connection.request("POST", self._path, body, self._headers)
        response = connection.getresponse()
        raw = response.read(_MAX_ANSWER_SIZE_BYTES + 1)
        if len(raw) > _MAX_ANSWER_SIZE_BYTES:
            raise http.client.HTTPException("the answer is too large")
        try:
            return json.loads(raw)
        except ValueError:
            raise http.client.HTTPException(
                f"status {response.status}, no JSON: {raw[:80]!r}"
            ) from None

    def _unavailable(self, exc: Exception) -> LedgerUnavailableError:
        self.close()
        return LedgerUnavailableError(
            "the chain does not answer",
            subject=self.subject,
            actual=str(exc) or type(exc).__name__,
            hint=_NOT_RUNNING,
        )


class _Held:
    """Close a thread's connection with the thread, or when it is let go of."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


def _host_and_port(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            return parts.hostname, parts.port
    except ValueError:
        pass
    scheme, separator, rest = url.partition("://")
    raise SettingsError(
        "not the address of a chain",
        subject="chain url",
        expected="http://HOST:PORT or https://HOST",
        actual=scheme + separator + rest.rpartition("@")[2],  # without a password
    )
