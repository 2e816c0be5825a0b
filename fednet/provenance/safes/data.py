"""Safe Data: the datasets, the grants on them, and how little an update may rest on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fednet.domain.identity import DatasetId, GrantId
from fednet.domain.ledger import AccessStatus
from fednet.provenance.safes.asked import EVERY, Asked
from fednet.provenance.safes.lines import Line, line, moment
from fednet.provenance.safes.rows import ClosureRow, DecisionRow

_SECONDS_PER_DAY = 86_400
_DONE = {
    AccessStatus.GRANTED: "granted",
    AccessStatus.DENIED: "denied",
    AccessStatus.REVOKED: "revoked",
}


def data(asked: Asked) -> Iterator[Line]:
    """Tell of the least counts, of each dataset, and of each grant."""
    if asked.plan is not None:
        update, cohort = asked.plan.update, asked.plan.cohort
        yield line(
            "least counts",
            f"an update counts only if it rests on {update.minimum_examples} examples or more, and"
            f" by no more than {update.maximum_examples}; a round needs {cohort.minimum_updates}"
            f" updates, and {cohort.minimum_sites} sites that consented",
            [asked.run],
        )
    closures: dict[DatasetId, ClosureRow] = {
        each.dataset: each for each in asked.index.closures(asked.run.run)
    }
    for row in asked.index.datasets(run=asked.run.run, limit=EVERY):
        end = closures.get(row.dataset)
        told = (
            f"{row.examples} examples; commitment of the data {row.data}, of its description"
            f" {row.description}; " + (f"closed at {moment(end.time)}" if end else "open")
        )
        kept = asked.index.budget(row.dataset).retention_seconds
        if kept:
            told += f"; what was made of it is kept for {kept / _SECONDS_PER_DAY:g} days"
        yield line(
            f"dataset {row.dataset} of site {row.site}",
            told,
            [row, end],
            name=asked.name(row.site),
            site=row.site,
            dataset=row.dataset,
        )
    yield from _grants(asked)


def _grants(asked: Asked) -> Iterator[Line]:
    decided: dict[GrantId, list[DecisionRow]] = defaultdict(list)
    for each in asked.index.decisions(asked.run.run):
        decided[each.grant].append(each)
    for grant, acts in sorted(decided.items()):
        told = []
        for act in acts:
            said = f"{_DONE.get(act.status, 'decided')} at {moment(act.time)}"
            if act.expiry is not None:
                said += f" until {moment(act.expiry)}"
            if act.terms is not None:
                said += f", commitment of the terms {act.terms}"
            told.append(said)
        dataset = acts[-1].dataset
        yield line(f"grant on request {grant}", "; ".join(told), acts, dataset=dataset)
