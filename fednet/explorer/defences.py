"""What stands before every page: who may be asked by name, how long, and what a browser may do.

No cookie is set and no page needs a key, so what is left to protect is the
reader's browser (the strict Content-Security-Policy, https://www.w3.org/TR/CSP3/)
and this machine (a foreign page that reaches a loopback server under a name of
its own, which the Host check refuses).
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_TARGET_BYTES = 2_048
"""Longest path with its query that is looked at."""
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": a form of our own page would then be sent with the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_LOG = logging.getLogger(__name__)

Refusal = Callable[[Request, int, str, str], Response]
"""Makes an error page of a status, what is wrong, and what to do."""


class Defences:
    """Refuse what no reader sends, and put the safe headers on every answer.

    Args:
        app: What answers the rest.
        hosts: Names in the Host header that are answered to; see ``host_names``.
        refuse: Makes the page of a refusal.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], refuse: Refusal) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        try:
            await (refusal or self._app)(scope, receive, send_safely)
        except Exception as exc:
            # Starlette has answered with the page of a defect, and hands the cause on for a log.
            _LOG.error("%s failed: %s: %s", scope["path"], type(exc).__name__, exc)

    def _refusal(self, scope: Scope) -> Response | None:
        request = Request(scope)
        if not is_known_host(Headers(scope=scope).get("host", ""), self._hosts):
            return self._refuse(
                request, 421, "This explorer does not answer to that name.",
                "Open it under the address that `fednet explorer` printed, or start it with"
                " --host NAME.",
            )  # fmt: skip
        length = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
        if length > MAX_TARGET_BYTES:
            return self._refuse(
                request, 414, "The address is too long.",
                f"Ask for less: at most {MAX_TARGET_BYTES} bytes.",
            )  # fmt: skip
        return None


def host_names(host: str) -> frozenset[str]:
    """Name what a server bound to a host answers to: loopback, and what was asked for."""
    bound = host.strip("[]").lower()
    names = {*LOOPBACK_NAMES, bound}
    if _is_wildcard(bound):
        names |= {"*", socket.gethostname().lower()}
    return frozenset(names)


def is_known_host(header: str, names: frozenset[str]) -> bool:
    """Tell whether a Host header names this server; never a stranger's domain."""
    try:
        asked = (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return False
    return asked in names or ("*" in names and _is_address(asked))


def is_same_origin(request: Request) -> bool:
    """Tell whether a form was sent by a page of ours, as every browser says."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()


def _is_wildcard(host: str) -> bool:
    return host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
