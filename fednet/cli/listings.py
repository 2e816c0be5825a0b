"""Runs, institutions and requests for access as tables."""

from __future__ import annotations

from collections.abc import Set

from fednet.cli import output, queries, watching, wiring
from fednet.cli.app import App


def runs(app: App, as_json: bool, only: Set[int] | None = None) -> None:
    """Print the runs, for `fednet run list` and `fednet ledger runs`."""
    reader = wiring.reader(app)
    found = [e for e in watching.overview(reader) if only is None or e.run.run in only]
    output.emit_list(
        found, as_json, "runs",
        ("run", "phase", "final rounds", "consenting", "researcher", "plan"),
        lambda e: (e.run.run, e.state.phase, f"{e.state.final_rounds}/{e.rounds}",
                   e.state.consenting, e.run.researcher, output.short(e.run.plan)),
        inner="run",
    )  # fmt: skip


def sites(app: App, as_json: bool, only: Set[int] | None = None) -> None:
    """Print every institution, for `fednet site list` and `fednet ledger sites`."""
    known = queries.sites(wiring.reader(app))
    found = [e for e in known if only is None or e.site.site in only]
    output.emit_list(
        found, as_json, "sites", ("site", "name", "standing", "roles", "account", "store"),
        lambda e: (e.site.site, e.name, e.site.standing, e.site.roles, e.site.account,
                   e.store_address),
        inner="site",
    )  # fmt: skip


def access(app: App, site: int | None, as_json: bool, only: Set[int] | None = None) -> None:
    """Print the requests, for `fednet access list` and `fednet ledger access`."""
    known = [e for e in queries.accesses(wiring.reader(app)) if site in (None, e.site)]
    found = [e for e in known if only is None or e.access.grant in only]
    output.emit_list(
        found, as_json, "access requests",
        ("grant", "dataset", "site", "researcher", "status", "expires", "run"),
        lambda e: (e.access.grant, e.access.dataset, e.site, e.access.researcher,
                   e.access.status, output.when(e.access.expiry), e.access.run or ""),
        inner="access",
    )  # fmt: skip
