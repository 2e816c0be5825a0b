"""Visit an application in this process, request after request."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp

URL = "http://127.0.0.1:8400"


class Visitor:
    """A browser without a screen; follows no redirect. Its event loop has a thread of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL)
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        self._portal = self._opened.enter_context(start_blocking_portal())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._portal.call(self._client.aclose)
        self._opened.close()

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for a page."""
        return self._portal.call(partial(self._client.get, path, **options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a form."""
        return self._portal.call(partial(self._client.post, path, **options))
