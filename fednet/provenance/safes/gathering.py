"""Gather the Five Safes of a run, all of them or one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fednet.domain.ledger import Deployment
from fednet.domain.plan import Plan
from fednet.errors import LedgerError
from fednet.provenance.safes.asked import EVERY, Asked
from fednet.provenance.safes.asking import SafesAsking
from fednet.provenance.safes.data import data
from fednet.provenance.safes.lines import PARTS, FiveSafes, Line
from fednet.provenance.safes.outputs import outputs
from fednet.provenance.safes.people import people
from fednet.provenance.safes.projects import projects
from fednet.provenance.safes.settings import settings

_GATHER: Mapping[str, Callable[[Asked], Iterator[Line]]] = {
    "people": people,
    "projects": projects,
    "settings": settings,
    "data": data,
    "outputs": outputs,
}


def five_safes(
    index: SafesAsking, run: int, plan: Plan | None, deployment: Deployment
) -> FiveSafes:
    """Gather all five; equal for an equal index.

    Args:
        index: Where the run's records are.
        run: Number of the run.
        plan: The run's plan; None if its bytes cannot be had, and then its lines are left out.
        deployment: The contracts, as this reader knows them.

    Raises:
        LedgerError: The index knows no such run.
    """
    asked = _asked(index, run, plan, deployment)
    return FiveSafes(asked.run.run, *(tuple(_GATHER[part](asked)) for part in PARTS))


def part_of(
    index: SafesAsking, run: int, plan: Plan | None, deployment: Deployment, part: str
) -> tuple[Line, ...]:
    """Gather one of the five, named as in ``lines.PARTS``.

    Raises:
        LedgerError: The index knows no such run.
    """
    return tuple(_GATHER[part](_asked(index, run, plan, deployment)))


def _asked(index: SafesAsking, run: int, plan: Plan | None, deployment: Deployment) -> Asked:
    row = index.run(run)
    if row is None:
        raise LedgerError(
            "no such run", subject=f"run {run}", hint="`fednet run list` shows the runs"
        )
    sites = {each.site: each for each in index.sites(run=run, limit=EVERY)}
    return Asked(index, row, plan, deployment, sites)
