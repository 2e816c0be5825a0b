"""Safe People: who researches, operates, takes part and reads, and who let them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fednet.domain.identity import Address, SiteId
from fednet.domain.ledger import Role, Standing
from fednet.provenance.safes.asked import EVERY, Asked
from fednet.provenance.safes.lines import Line, line, moment, roles_of
from fednet.provenance.safes.rows import AppointmentRow, StandingRow


def people(asked: Asked) -> Iterator[Line]:
    """Tell of the researcher, the operators, the sites, and of readers of sealed blobs."""
    appointed: dict[str, list[AppointmentRow]] = defaultdict(list)
    for each in asked.index.appointments():
        appointed[each.account.lower()].append(each)
    yield _researcher(asked, appointed.get(asked.run.researcher.lower(), []))
    for acts in appointed.values():
        if any(Role.OPERATOR in act.roles for act in acts):
            yield _operator(acts)
    standings: dict[SiteId, list[StandingRow]] = defaultdict(list)
    for standing in asked.index.standings(asked.run.run):
        standings[standing.site].append(standing)
    for site in sorted(asked.sites):
        yield _site(asked, site, standings[site])
    yield from _readers(asked)


def _researcher(asked: Asked, acts: list[AppointmentRow]) -> Line:
    account = asked.run.researcher
    told = f"account {account} proposed the plan and opened the run"
    site: SiteId | None = None
    if acts:
        told += f"; roles {roles_of(acts[-1].roles)}, {_of(acts[-1].site)}"
    elif (site := _node_of(asked, account)) is not None:
        told += f"; it is the account of site {site}'s node"
    else:
        told += "; no appointment of it is on record: it was given its role as a site's node"
    return line("researcher", told, [*acts, asked.run], name=asked.name(site), site=site)


def _node_of(asked: Asked, account: Address) -> SiteId | None:
    for site, row in asked.sites.items():
        if row.account.lower() == account.lower():
            return site
    return None


def _operator(acts: list[AppointmentRow]) -> Line:
    last = acts[-1]
    now = "may admit and revoke" if Role.OPERATOR in last.roles else "is operator no longer"
    return line("operator", f"account {last.account} {now}; {_of(last.site)}", acts)


def _site(asked: Asked, site: SiteId, acts: list[StandingRow]) -> Line:
    row = asked.sites[site]
    told = f"{row.standing.name.lower()}; roles of its node {roles_of(row.roles)}"
    for act in acts:
        if act.standing is not Standing.APPLIED:
            done = "admitted" if act.roles is not None else act.standing.name.lower()
            told += f"; {done} by operator {act.account} at {moment(act.time)}"
    return line(f"site {site}", told, acts, name=row.name, site=site)


def _readers(asked: Asked) -> Iterator[Line]:
    for row in asked.index.readers(run=asked.run.run, limit=EVERY):
        told = f"account {row.account} may read the run's sealed blobs; admitted by {_of(row.site)}"
        if row.dismissed_time:
            told += f"; until {moment(row.dismissed_time)}"
        yield line(f"reader {row.reader}", told, [row], site=row.site or None)


def _of(site: SiteId) -> str:
    return f"site {site}" if site else "the consortium"
