"""The one client of the Kubo RPC: ipfshttpclient, with its traps covered.

Every call has a deadline of its own, asked of the server and kept here as well;
every option that changes a CID is explicit; no exception of ipfshttpclient,
requests or urllib3 leaves this module; no proxy of the environment is used.
"""

# ruff: noqa: ANN401 (ipfshttpclient has no types)
from __future__ import annotations

import contextlib
import io
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import ipfshttpclient
import requests
import urllib3
from ipfshttpclient import exceptions, multipart

from fednet.blobs.multibase import decode_multibase, encode_multibase
from fednet.errors import BlobMissingError, SettingsError, StoreError, StoreUnavailableError

_CONNECT_TIMEOUT_SECONDS = 5.0
_GRACE_SECONDS = 1.0
"""What the server gets beyond the deadline, to say itself that it has passed."""
_UPLOAD_BLOCK_SIZE_BYTES = 256 * 1024
_MISSING = ("not found", "could not find", "deadline exceeded", "context canceled")
_QUIET_SECONDS = 60.0
"""For so long a topic may be silent before it is listened to anew: the line may be dead."""
_LINE_CAP_BYTES = 8 * 1024
_MOST_KEPT = 4
"""Connections kept for later; as many as are needed at once are opened."""
_NOT_PINNED = "not pinned"
_ADD_OPTIONS = {
    "cid-version": "0",
    "raw-leaves": "false",
    "chunker": "size-262144",
    "pin": "true",
    "progress": "false",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a Kubo RPC answers, and the user name and password it asks for."""

    address: str
    """Multiaddr, such as ``/ip4/127.0.0.1/tcp/5001``, or ``http(s)`` URL."""
    credentials: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.address!r})"


class NamedFile(Protocol):
    """A file to upload; its name is shown to the server."""

    name: str

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""
        ...


class RpcClient:
    """Call one Kubo daemon over connections that are kept; safe to share."""

    def __init__(self, endpoint: Callable[[], Endpoint]) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._idle: list[tuple[Endpoint, Any]] = []

    def add(self, files: Sequence[NamedFile], timeout_seconds: float) -> list[str]:
        """Store files, pinned, in one call; return their CIDs."""
        body = multipart.FilesStream(files, chunk_size=_UPLOAD_BLOCK_SIZE_BYTES)
        answers = self._call(
            "add", timeout_seconds, _ADD_OPTIONS, data=body.body(), headers=body.headers()
        )
        return [_text(answer, "Hash") for answer in answers]

    def cat(
        self, cid: str, size_cap_bytes: int, timeout_seconds: float, write: Callable[[bytes], Any]
    ) -> int:
        """Pass a file's bytes on as they come, one more than the cap at most; count them.

        Raises:
            BlobMissingError: Nobody served it in time.
        """
        deadline = time.monotonic() + timeout_seconds
        # An error in mid-stream looks like an end: whoever calls checks length and hash.
        options = {"length": str(size_cap_bytes + 1)}
        received = 0
        with self._client(f"object {cid}", stalled=BlobMissingError) as client:
            stream = client.request(
                "/cat",
                (cid,),
                opts=options | _timeout(timeout_seconds),
                stream=True,
                timeout=(_CONNECT_TIMEOUT_SECONDS, timeout_seconds + _GRACE_SECONDS),
            )
            with stream:
                for block in stream:
                    received += len(block)
                    if received > size_cap_bytes + 1:
                        raise StoreError("the daemon sent more than asked for", subject=cid)
                    write(block)
                    if time.monotonic() > deadline + _GRACE_SECONDS:
                        raise BlobMissingError("too slow", subject=f"object {cid}")
        return received

    def pin_add(self, cids: Sequence[str], timeout_seconds: float) -> None:
        """Keep objects, getting those that are missing."""
        self._call("pin/add", timeout_seconds, {"recursive": "true"}, cids, BlobMissingError)

    def pin_rm(self, cid: str, timeout_seconds: float) -> None:
        """Let go of an object, kept or not."""
        try:
            self._call("pin/rm", timeout_seconds, {"recursive": "true"}, [cid])
        except StoreError as exc:
            if _NOT_PINNED not in str(exc.actual):
                raise

    def block_rm(self, cids: Sequence[str], timeout_seconds: float) -> None:
        """Remove blocks from the daemon's own disk; those that are not there are no error.

        Raises:
            StoreError: One is kept all the same, as part of something else that is pinned.
        """
        answers = self._call("block/rm", timeout_seconds, {"force": "true"}, cids)
        kept = [answer for answer in answers if answer.get("Error")]
        if kept:
            raise StoreError(
                "the store keeps a block",
                subject=f"object {kept[0].get('Hash')}",
                actual=str(kept[0]["Error"])[:300],
                hint="something else that is pinned consists of it, too; unpin that first",
            )

    def identity(self, timeout_seconds: float) -> list[str]:
        """Return the daemon's own addresses."""
        addresses = _one(self._call("id", timeout_seconds)).get("Addresses")
        return [str(address) for address in addresses or []]

    def connect(self, address: str, timeout_seconds: float) -> None:
        """Dial a peer."""
        # Not client.swarm.connect: it sends every letter of the address as a peer.
        self._call("swarm/connect", timeout_seconds, {}, [address])

    def peers(self, timeout_seconds: float) -> list[str]:
        """Return the addresses of connected peers."""
        peers = _one(self._call("swarm/peers", timeout_seconds)).get("Peers") or []
        return [f"{_text(peer, 'Addr')}/p2p/{_text(peer, 'Peer')}" for peer in peers]

    def say(self, topic: str, message: bytes, timeout_seconds: float) -> None:
        """Send a message to every peer that listens to a topic."""
        body = multipart.FilesStream([_Message(message)], chunk_size=_UPLOAD_BLOCK_SIZE_BYTES)
        self._call(
            "pubsub/pub",
            timeout_seconds,
            {},
            [encode_multibase(topic.encode())],
            data=body.body(),
            headers=body.headers(),
        )

    @contextlib.contextmanager
    def listening(self, topic: str) -> Iterator[Iterator[bytes]]:
        """Listen to a topic from now on; what is longer than a few kilobytes is passed over.

        The messages end, or raise StoreUnavailableError, when the daemon ends or nothing came
        for a minute.
        """
        with self._client(f"topic {topic}", stalled=StoreUnavailableError) as client:
            stream = client.request(
                "/pubsub/sub",
                (encode_multibase(topic.encode()),),
                stream=True,
                timeout=(_CONNECT_TIMEOUT_SECONDS, _QUIET_SECONDS),
            )
            with stream:
                yield _messages(stream)

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, client in idle:
            client.close_session()

    def _call(
        self,
        command: str,
        timeout_seconds: float,
        options: dict[str, str] | None = None,
        arguments: Sequence[str] = (),
        stalled: type[StoreError] = StoreUnavailableError,
        **body: Any,
    ) -> list[dict[str, Any]]:
        subject = " ".join([command, *arguments])[:200]
        with self._client(subject, stalled) as client:
            answers = client.request(
                f"/{command}",
                arguments,
                opts=(options or {}) | _timeout(timeout_seconds),
                decoder="json",
                timeout=(_CONNECT_TIMEOUT_SECONDS, timeout_seconds + _GRACE_SECONDS),
                **body,
            )
        if not all(isinstance(answer, dict) for answer in answers):
            raise StoreError("not an answer of Kubo", subject=subject)
        return list(answers)

    @contextlib.contextmanager
    def _client(self, subject: str, stalled: type[StoreError]) -> Iterator[Any]:
        endpoint = self._endpoint()
        client = self._take(endpoint)
        try:
            yield client
        except BaseException as exc:
            client.close_session()
            translated = _translate(exc, subject, endpoint, stalled)
            if translated is None:
                raise
            raise translated from exc
        with self._lock:
            is_kept = len(self._idle) < _MOST_KEPT
            if is_kept:
                self._idle.append((endpoint, client))
        if not is_kept:
            client.close_session()

    def _take(self, endpoint: Endpoint) -> Any:
        with self._lock:
            stale = [client for known, client in self._idle if known != endpoint]
            self._idle = [entry for entry in self._idle if entry[0] == endpoint]
            kept = self._idle.pop()[1] if self._idle else None
        for client in stale:
            client.close_session()
        return kept or _open(endpoint)


class _Message(io.BytesIO):
    """A message to upload."""

    name = "message"


def _messages(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Read messages from the lines that a stream consists of, keeping little of a long line."""
    line, is_long = bytearray(), False
    for block in blocks:
        *ended, rest = block.split(b"\n")
        for part in ended:
            if not is_long and len(line) + len(part) <= _LINE_CAP_BYTES:
                with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                    yield decode_multibase(json.loads(line + part)["data"])
            line, is_long = bytearray(), False
        is_long = is_long or len(line) + len(rest) > _LINE_CAP_BYTES
        line = bytearray() if is_long else line + rest


def _open(endpoint: Endpoint) -> Any:
    # Client(), not connect(): the latter warns about every current Kubo.
    try:
        address = _multiaddr(endpoint.address)
        client = ipfshttpclient.Client(address, session=True, auth=endpoint.credentials)._client
    except exceptions.Error as exc:
        raise SettingsError(
            "not the address of a Kubo RPC",
            subject=endpoint.address,
            expected="a multiaddr such as /ip4/127.0.0.1/tcp/5001, or a URL",
        ) from exc
    session = client._session
    # A proxy or netrc entry in the environment must not see, or break, these calls.
    session.trust_env = False
    # ipfshttpclient's own transport uses an argument that urllib3 is about to drop.
    session.family = socket.AF_UNSPEC
    session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=1))
    session.mount("https://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=1))
    return client


def _multiaddr(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        return address
    url = urlsplit(address)
    host = url.hostname or ""
    numeric = host.replace(".", "").isdecimal()
    kind = "ip6" if ":" in host else "ip4" if numeric else "dns"
    default_port = 443 if url.scheme == "https" else 80
    return f"/{kind}/{host}/tcp/{url.port or default_port}/{url.scheme}"


def _translate(
    exc: BaseException, subject: str, endpoint: Endpoint, stalled: type[StoreError]
) -> StoreError | None:
    timeouts = (exceptions.TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)
    if isinstance(exc, timeouts) or "timed out" in str(exc).lower():
        return stalled("no answer in time", subject=subject)
    if isinstance(exc, exceptions.ErrorResponse):
        message = str(exc)[:300]
        if any(sign in message.lower() for sign in _MISSING):
            return BlobMissingError("nobody served it in time", subject=subject, actual=message)
        full = "no space left" in message.lower()
        hint = "free disk space where the node keeps its repository" if full else ""
        return StoreError("the store refused", subject=subject, actual=message, hint=hint)
    if isinstance(exc, exceptions.StatusError | exceptions.EncoderError):
        return StoreError("not an answer of Kubo", subject=subject, actual=str(exc)[:300])
    network = (exceptions.Error, requests.RequestException, urllib3.exceptions.HTTPError)
    if isinstance(exc, (*network, ConnectionError)):
        return StoreUnavailableError(
            "the store does not answer",
            subject=endpoint.address,
            actual=type(exc).__name__,
            hint="check that the IPFS node runs",
        )
    return None


def _timeout(seconds: float) -> dict[str, str]:
    return {"timeout": f"{max(1, math.ceil(seconds * 1000))}ms"}


def _one(answers: list[dict[str, Any]]) -> dict[str, Any]:
    if len(answers) != 1:
        raise StoreError("not an answer of Kubo", expected="1 object", actual=len(answers))
    return answers[0]


def _text(value: Any, name: str) -> str:
    text = value.get(name) if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise StoreError("not an answer of Kubo", expected=f"field {name}")
    return text
