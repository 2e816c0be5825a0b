"""A pytest plugin: leave the browser tests out where there is no browser, and say so.

Under continuous integration a missing browser is a failure instead, unless `.ci/run`
tried to install one and `FEDNET_NO_BROWSER` says why it could not.
"""

from __future__ import annotations

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_LEFT_OUT = pytest.StashKey[int]()


def find_browser() -> str | None:
    """Return the path of a Chromium on this machine."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def pytest_configure(config: pytest.Config) -> None:
    """Stop at once where several processes are to share the tests: these would only crash."""
    if _is_shared(config) and not find_browser():
        _require_reason()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what needs a browser if none is here."""
    wanting = [item for item in items if item.get_closest_marker("browser")]
    if not wanting or find_browser():
        return
    _require_reason()
    config.stash[_LEFT_OUT] = len(wanting)
    config.hook.pytest_deselected(items=wanting)
    items[:] = [item for item in items if not item.get_closest_marker("browser")]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in one line what was left out."""
    # Processes that share the tests collect them by themselves, and this one knows no number.
    is_unknown = _is_shared(config) and not find_browser()
    if (count := config.stash.get(_LEFT_OUT, 0)) or is_unknown:
        reason = os.environ.get("FEDNET_NO_BROWSER", "it is not on the PATH")
        what = f"{count} browser tests" if count else "browser tests"
        terminalreporter.write_line(f"{what} left out: no Chromium: {reason}")


def _is_shared(config: pytest.Config) -> bool:
    return bool(config.getoption("dist", "no") != "no")


def _require_reason() -> None:
    if os.environ.get("CI") and not os.environ.get("FEDNET_NO_BROWSER"):
        raise pytest.UsageError(
            f"the browser tests need Chromium, and none of {', '.join(NAMES)} is on the PATH;"
            " .ci/run installs it on Debian when it may (as root), else install it yourself"
        )
