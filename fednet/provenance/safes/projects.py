"""Safe Projects: the plan, the purposes that data was asked for, and who approved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fednet.domain.identity import SiteId
from fednet.provenance.safes.asked import EVERY, Asked
from fednet.provenance.safes.lines import Line, line, moment
from fednet.provenance.safes.rows import ConsentEndRow


def projects(asked: Asked) -> Iterator[Line]:
    """Tell of the plan, of each purpose, and of each site's consent."""
    yield _plan(asked)
    for row in asked.index.accesses(run=asked.run.run, limit=EVERY):
        yield line(
            f"purpose of request {row.grant}",
            f"account {row.researcher} asked for dataset {row.dataset};"
            f" commitment of the purpose {row.purpose}",
            [row],
            dataset=row.dataset,
        )
    yield from _approvals(asked)


def _plan(asked: Asked) -> Line:
    run, plan = asked.run, asked.plan
    told = f"commitment {run.plan}, frozen when the run was opened; the run is {run.status}"
    if plan is None:
        return line("plan", f"{told}; the plan's bytes are not at hand", [run])
    return line("plan", f"{told}; {plan.rounds} rounds at most", [run], name=plan.name)


def _approvals(asked: Asked) -> Iterator[Line]:
    ended: dict[SiteId, list[ConsentEndRow]] = defaultdict(list)
    for end in asked.index.consent_ends(asked.run.run):
        ended[end.site].append(end)
    for row in asked.index.consents(asked.run.run):
        ends = [end for end in ended[row.site] if end.grant == row.grant]
        later = [end for end in ends if (end.block, end.time) >= (row.block, row.time)]
        told = (
            f"consented under request {row.grant}, for at most {row.maximum_examples} examples"
            f" a round, until {moment(row.expiry)}"
        )
        if later:
            told += f"; ended it at {moment(later[-1].time)}"
        yield line(
            f"approval of site {row.site}",
            told,
            [row, *later],
            name=asked.name(row.site),
            site=row.site,
        )
