"""Serve the part of the Kubo RPC that fednet uses (https://docs.ipfs.tech/reference/kubo/rpc/).

POST only, loopback only, behind a password that lives in the repository, since
other users of the machine must not publish through this node. What fednet does
not call is not here.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fednet.blobs.cid import digest_of
from fednet.blobs.embedded.multipart import BodyError, body_blocks, files
from fednet.blobs.embedded.node import MESSAGE_CAP_BYTES, Node, NodeFailedError
from fednet.blobs.embedded.waiting import can_read
from fednet.blobs.multibase import decode_multibase, encode_multibase
from fednet.errors import MalformedBlobError

USER = "fednet"
KUBO_VERSION = "0.22.0"
_PREFIX = "/api/v0/"
_FILE_CAP_BYTES = 16 * 1024 * 1024
_BLOCK_SIZE_BYTES = 256 * 1024
_DEFAULT_TIMEOUT_SECONDS = 60.0
_LISTEN_SECONDS = 0.01
_ADD_OPTIONS = {"cid-version": "0", "raw-leaves": "false", "chunker": "size-262144"}
_DURATION = re.compile(r"(\d{1,9})(ms|s|m)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class RpcServer(ThreadingHTTPServer):
    """Listen on loopback and answer for one node."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, node: Node, port: int, password: str) -> None:
        self.node = node
        self.authorization = "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    server: RpcServer
    _arguments: dict[str, list[str]]

    def do_POST(self) -> None:
        """Answer one call."""
        url = urlsplit(self.path)
        self._arguments = parse_qs(url.query)
        blocks = body_blocks(
            self.rfile, self.headers["Content-Length"], self.headers["Transfer-Encoding"]
        )
        given = self.headers["Authorization"] or ""
        command = _COMMANDS.get(url.path.removeprefix(_PREFIX))
        if not hmac.compare_digest(given.encode(), self.server.authorization.encode()):
            self._refuse(HTTPStatus.FORBIDDEN, "403 - Forbidden")
        elif command is None or not url.path.startswith(_PREFIX):
            self._refuse(HTTPStatus.NOT_FOUND, "404 page not found")
        else:
            self._answer(command, blocks)

    def do_GET(self) -> None:
        """Refuse, as Kubo does."""
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "405 - Method Not Allowed")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Stay silent: one line for each call would fill the log."""

    def _answer(self, command: Callable[..., None], blocks: Iterator[bytes]) -> None:
        try:
            command(self, blocks)
            for _ in blocks:
                pass
        except (NodeFailedError, MalformedBlobError, _BadRequestError) as exc:
            bad = not isinstance(exc, NodeFailedError)
            status = HTTPStatus.BAD_REQUEST if bad else HTTPStatus.INTERNAL_SERVER_ERROR
            try:
                for _ in blocks:
                    pass
            except BodyError:
                self.close_connection = True
            body = json.dumps({"Message": str(exc), "Code": int(bad), "Type": "error"})
            self._send(status, body.encode())
        except BodyError as exc:
            self._refuse(HTTPStatus.BAD_REQUEST, str(exc))
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        # What is left of the body has not been read, so the connection is spent.
        self.close_connection = True
        self._send(status, json.dumps({"Message": message, "Code": 1, "Type": "error"}).encode())

    def _begin_stream(self, content_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _write_chunk(self, block: bytes) -> None:
        self.wfile.write(b"%x\r\n" % len(block))
        self.wfile.write(block)
        self.wfile.write(b"\r\n")

    def _end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _option(self, name: str, default: str) -> str:
        return self._arguments.get(name, [default])[-1]

    def _args(self) -> list[str]:
        values = self._arguments.get("arg", [])
        if not values:
            raise _BadRequestError('argument "ipfs-path" is required')
        return values

    def _cids(self) -> list[str]:
        cids = [value.removeprefix("/ipfs/") for value in self._args()]
        for cid in cids:
            digest_of(cid, "argument")
        return cids

    def _topic(self) -> str:
        try:
            return decode_multibase(self._args()[0]).decode()
        except ValueError as exc:
            raise _BadRequestError("the topic is not in multibase") from exc

    def _deadline(self) -> float:
        text = self._option("timeout", "")
        match = _DURATION.fullmatch(text)
        if text and match is None:
            raise _BadRequestError(f"invalid timeout {text!r}")
        seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match else _DEFAULT_TIMEOUT_SECONDS
        return time.monotonic() + seconds

    def _json(self, *values: dict[str, Any]) -> None:
        self._send(HTTPStatus.OK, b"".join(json.dumps(v).encode() + b"\n" for v in values))

    def add(self, blocks: Iterator[bytes]) -> None:
        for name, only in _ADD_OPTIONS.items():
            if self._option(name, only).lower() != only:
                raise _BadRequestError(f"only {name}={only} is served here")
        answers = []
        for name, data in files(blocks, self.headers["Content-Type"] or "", _FILE_CAP_BYTES):
            cid = self.server.node.add(data)
            answers.append({"Name": name, "Hash": cid, "Size": str(len(data))})
        self._json(*answers)

    def cat(self, blocks: Iterator[bytes]) -> None:
        left = int(self._option("length", str(_FILE_CAP_BYTES + 1)))
        with self.server.node.cat(self._cids()[0], self._deadline()) as file:
            self._begin_stream("text/plain")
            while left and (block := file.read(min(left, _BLOCK_SIZE_BYTES))):
                left -= len(block)
                self._write_chunk(block)
            self._end_stream()

    def pin_add(self, blocks: Iterator[bytes]) -> None:
        cids, deadline = self._cids(), self._deadline()
        for cid in cids:
            self.server.node.pin(cid, deadline)
        self._json({"Pins": cids})

    def pin_rm(self, blocks: Iterator[bytes]) -> None:
        cids = self._cids()
        for cid in cids:
            self.server.node.unpin(cid)
        self._json({"Pins": cids})

    def block_rm(self, blocks: Iterator[bytes]) -> None:
        cids = self._cids()
        for cid in cids:
            self.server.node.remove_block(digest_of(cid, "argument"))
        self._json(*({"Hash": cid} for cid in cids))

    def id(self, blocks: Iterator[bytes]) -> None:
        peer = self.server.node.peer_id()
        addresses = [f"{address}/p2p/{peer}" for address in self.server.node.addresses()]
        agent = f"kubo/{KUBO_VERSION}/fednet"
        self._json({"ID": peer, "Addresses": addresses, "AgentVersion": agent, "Protocols": []})

    def version(self, blocks: Iterator[bytes]) -> None:
        self._json({"Version": KUBO_VERSION, "Commit": "", "Repo": "14"})

    def swarm_connect(self, blocks: Iterator[bytes]) -> None:
        deadline, results = self._deadline(), []
        for address in self._args():
            self.server.node.connect(address, deadline)
            results.append(f"connect {address.rpartition('/')[2]} success")
        self._json({"Strings": results})

    def swarm_peers(self, blocks: Iterator[bytes]) -> None:
        peers = [{"Addr": addr, "Peer": peer} for addr, peer in self.server.node.peers()]
        self._json({"Peers": peers})

    def pubsub_pub(self, blocks: Iterator[bytes]) -> None:
        topic = self._topic()
        given = list(files(blocks, self.headers["Content-Type"] or "", MESSAGE_CAP_BYTES))
        if len(given) != 1:
            raise _BadRequestError("expected one message")
        self.server.node.say(topic, bytes(given[0][1]))
        self._json()

    def pubsub_sub(self, blocks: Iterator[bytes]) -> None:
        topic = self._topic()
        with self.server.node.listening(topic) as take:
            self._begin_stream("application/json")
            self.wfile.flush()
            while (messages := take()) is not None:
                for sender, data in messages:
                    line = {
                        "from": sender,
                        "data": encode_multibase(data),
                        "topicIDs": [encode_multibase(topic.encode())],
                    }
                    self._write_chunk(json.dumps(line).encode() + b"\n")
                self.wfile.flush()
                # Whoever listens says nothing more: what can be read is the connection's end.
                if can_read(self.connection.fileno(), 0 if messages else _LISTEN_SECONDS):
                    self.close_connection = True
                    return
        self._end_stream()


class _BadRequestError(Exception):
    """Report a call that is wrong in itself."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "add": _Handler.add,
    "cat": _Handler.cat,
    "pin/add": _Handler.pin_add,
    "pin/rm": _Handler.pin_rm,
    "block/rm": _Handler.block_rm,
    "id": _Handler.id,
    "version": _Handler.version,
    "pubsub/pub": _Handler.pubsub_pub,
    "pubsub/sub": _Handler.pubsub_sub,
    "swarm/connect": _Handler.swarm_connect,
    "swarm/peers": _Handler.swarm_peers,
}
