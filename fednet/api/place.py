"""Which directory is meant when somebody names a home, or names none."""

from __future__ import annotations

import os
from pathlib import Path

from fednet.cli.app import App

_DEFAULT = "~/.fednet"


def app_of(home: str | Path | None) -> App:
    """Name a home as the command line does: as given, ``FEDNET_HOME``, or ``~/.fednet``."""
    chosen = Path(home or os.environ.get("FEDNET_HOME") or _DEFAULT)
    return App(chosen.expanduser().absolute())
