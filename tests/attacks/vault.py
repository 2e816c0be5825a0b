"""A real Kubo node whose disk is tampered with, and a gateway that alters what it serves."""

from __future__ import annotations

import base64
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from fednet.audit import AuditReport
from fednet.blobs import EmbeddedStore, KuboStore, new_swarm_key
from fednet.blobs.cid import cid_of
from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.identity import Commitment, Locator
from fednet.domain.ports import LedgerReader
from tests.attacks.finished import Finished
from tests.attacks.network import Network

Change = Callable[[bytes], bytes]


class Vault:
    """Hold the blobs of a finished run in one Kubo node that knows no other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubo = EmbeddedStore(
            folder / "repo", folder / "own", swarm_key=new_swarm_key(), is_brief=True
        )
        self._numbers = count()
        self._content: dict[Commitment, bytes] = {}

    def fill(self, network: Network, finished: Finished) -> None:
        """Copy every blob of a run to this node."""
        for commitment, locator, limit in finished.blobs():
            path = finished.members[0].store.fetch(commitment, [locator], limit, 30.0)
            assert self.kubo.publish(path) == locator
            self._content[commitment] = path.read_bytes()

    def close(self) -> None:
        """Stop the node."""
        self.kubo.close()

    def content(self, commitment: Commitment) -> bytes:
        """Give a blob's bytes as they were."""
        return self._content[commitment]

    def audit(
        self,
        finished: Finished,
        reader: LedgerReader | None = None,
        checkpoints: Sequence[SignedCheckpoint] = (),
    ) -> AuditReport:
        """Audit a run from this node's disk, with an empty cache."""
        with self.client() as store:
            return finished.audit(store, reader, checkpoints)

    @contextmanager
    def client(self, address: str = "") -> Iterator[KuboStore]:
        """Give an access with an empty cache to this node, or to a gateway to it."""
        cache = self.folder / f"cache {next(self._numbers)}"
        with closing(KuboStore(address or self.kubo.node.endpoint, cache)) as store:
            yield store

    @contextmanager
    def replaced(self, commitment: Commitment, content: bytes | None) -> Iterator[None]:
        """Have the node's disk hold other bytes in a blob's place, or none."""
        [path] = self._holding(self._content[commitment])
        before = path.read_bytes()
        path.chmod(0o600)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(_block(content))
        try:
            yield
        finally:
            if content is not None:
                path.write_bytes(before)
            else:  # A node that looked in vain remembers that: it has to be told.
                own = self.folder / "restored"
                own.write_bytes(self._content[commitment])
                self.kubo.publish(own)

    def _holding(self, content: bytes) -> list[Path]:
        """List the files of the repository that are a blob's block."""
        block = _block(content)
        files = (path for path in (self.folder / "repo").rglob("*.data") if path.is_file())
        return [path for path in files if path.read_bytes() == block]

    @contextmanager
    def gateway(self, alter: Callable[[str, bytes], bytes]) -> Iterator[str]:
        """Serve this node's RPC with the bytes of objects altered; give its URL.

        Args:
            alter: Makes of a CID and its bytes what is served.
        """
        vault = self

        class Handler(BaseHTTPRequestHandler):
            wbufsize = -1

            def do_POST(self) -> None:
                address = urlsplit(self.path)
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = vault._forward(self.path)
                asked = parse_qs(address.query).get("arg", [""])[0]
                if address.path.endswith("/cat") and status == 200:
                    body = alter(asked, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"/ip4/127.0.0.1/tcp/{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _forward(self, path: str) -> tuple[int, bytes]:
        endpoint = self.kubo.node.endpoint()
        assert endpoint.credentials is not None
        _, _, host, _, port = endpoint.address.split("/")
        token = base64.b64encode(":".join(endpoint.credentials).encode()).decode()
        headers = {"Authorization": f"Basic {token}"}
        url = f"http://{host}:{port}{path}"
        request = urllib.request.Request(url, method="POST", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code, exc.read()


def of_blob(locator: Locator, change: Change) -> Callable[[str, bytes], bytes]:
    """Alter one blob and serve the others as they are."""
    cid = cid_of(locator)
    return lambda asked, data: change(data) if asked == cid else data


def flip_last_bit(data: bytes) -> bytes:
    """Flip the lowest bit of the last byte."""
    return data[:-1] + bytes([data[-1] ^ 1])


def _block(chunk: bytes) -> bytes:
    """Encode a small file as Kubo stores it: one UnixFS leaf in dag-pb."""
    size = _varint(len(chunk))
    data = b"\x08\x02\x12" + size + chunk + b"\x18" + size
    return b"\x0a" + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
