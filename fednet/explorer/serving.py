"""Serve the explorer over HTTP until told to stop."""

from __future__ import annotations

import errno
import gc
import socket
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from fednet.errors import SettingsError

_BACKLOG = 128
_MAX_AT_ONCE = 64


def listen(host: str, port: int) -> socket.socket:
    """Take a port, so that its number is known before anything is served.

    Raises:
        SettingsError: The host is not this machine's, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except (OSError, OverflowError) as exc:
        raise SettingsError(
            "cannot listen there",
            subject=f"{host}:{port}",
            actual=getattr(exc, "strerror", None) or exc,
            hint="choose another --port, or --port 0 for any free one"
            if getattr(exc, "errno", 0) == errno.EADDRINUSE
            else "--host is an address of this machine, such as 127.0.0.1; --port 0 takes any"
            " port that is free",
        ) from exc
    return listening


def url_of(listening: socket.socket) -> str:
    """Write the address to open."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - for showing
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


class Server(uvicorn.Server):
    """Answer requests on a port that was taken before; ends with a signal or ``stop``."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MAX_AT_ONCE,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=2,
            )
        )

    def serve_on(self, listening: socket.socket) -> None:
        """Serve until told to stop; an interrupt is how a person does that."""
        with listening, suppress(KeyboardInterrupt):
            # What stays for good need not be searched for garbage within a request.
            gc.collect()
            gc.freeze()
            self.run(sockets=[listening])

    def stop(self) -> None:
        """Have the server end, from any thread."""
        self.should_exit = True
