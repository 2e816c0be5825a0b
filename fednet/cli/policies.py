"""The site's own policy and its airlock's book, as the settings name them; asks no chain."""

from __future__ import annotations

import math
from pathlib import Path

from fednet.airlock import AirlockPolicy, read_policy
from fednet.cli import home
from fednet.cli.app import App
from fednet.domain.identity import SiteId
from fednet.errors import SettingsError
from fednet.node.requests import Book, folder_of, read_book

GATES = "airlock"


def airlock_policy(app: App) -> AirlockPolicy:
    """Read what this site lets out.

    Raises:
        SettingsError: The policy's file is not there, or a key in it is wrong.
    """
    stored = app.settings().airlock
    policy = read_policy(app.path(stored.policy)) if stored.policy else AirlockPolicy()
    return policy.tightened(stored.minimum_examples, stored.maximum_norm or math.inf)


def gate_folder(app: App, site: SiteId | None = None) -> Path:
    """Name the folder in which a site's airlock keeps requests; this home's unless given.

    Raises:
        SettingsError: The home belongs to no site, or names no deployment.
    """
    from fednet.ledger.deployment import read_deployment

    home.require_deployment(app)
    site = site or SiteId(app.settings().site.id)
    if not site:
        raise SettingsError(
            "this home belongs to no site",
            subject=str(app.home),
            hint="apply with `fednet node join INVITATION`, or name the site's home: --home",
        )
    deployment = read_deployment(app.path(app.settings().chain.deployment))
    return folder_of(app.home / GATES, deployment, site)


def book(app: App, site: SiteId) -> Book:
    """Read what a site's airlock was asked and decided so far.

    Raises:
        SettingsError: The book is damaged.
    """
    return read_book(gate_folder(app, site))
