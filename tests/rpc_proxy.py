"""A provider between us and a real chain that misbehaves on demand."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Rule = Callable[[dict[str, Any]], dict[str, Any] | None]
Alter = Callable[[dict[str, Any], Any], Any]
"""Makes of a request and its result what is answered."""


class LoseAnswer(Exception):
    """Raised by a rule: pass the request on, then hang up without an answer."""


@contextmanager
def misbehaving_provider(
    chain_url: str, rule: Rule = lambda _: None, alter: Alter | None = None
) -> Iterator[str]:
    """Serve a chain through a rule, which gives an error to answer with, or nothing.

    Args:
        chain_url: The honest chain.
        rule: Asked for each request that is no batch.
        alter: Changes the results, those of batches too.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, so that nobody waits for an acknowledgement

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(body)
            lose = False
            try:
                error = rule(request) if isinstance(request, dict) else None
            except LoseAnswer:
                lose, error = True, None
            if error is not None:
                refused = {"jsonrpc": "2.0", "id": request["id"], "error": error}
                answer = json.dumps(refused).encode()
            else:
                headers = {"Content-Type": "application/json"}
                onward = urllib.request.Request(chain_url, body, headers)
                with urllib.request.urlopen(onward, timeout=30) as response:
                    answer = response.read()
                if alter is not None:
                    answer = _altered(alter, request, answer)
            if lose:
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _altered(alter: Alter, request: Any, answer: bytes) -> bytes:
    """Alter the results of one request or of a batch."""
    decoded = json.loads(answer)
    pairs = [(request, decoded)]
    if isinstance(request, list):
        asked = {each["id"]: each for each in request}
        pairs = [(asked[each["id"]], each) for each in decoded]
    for question, reply in pairs:
        if "result" in reply:
            reply["result"] = alter(question, reply["result"])
    return json.dumps(decoded).encode()
