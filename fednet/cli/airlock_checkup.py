"""Examine the site's airlock: its policy, the data that it asks about, the runs it would refuse."""

from __future__ import annotations

from collections.abc import Mapping

from fednet.airlock import AirlockPolicy, Check, Verdict
from fednet.cli import home, policies, private_data, queries, wiring
from fednet.cli.app import App
from fednet.cli.findings import Finding
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import GrantId, RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError
from fednet.node.admission import check_admission
from fednet.node.requests import Book
from fednet.node.terms import read_terms


def examine(app: App) -> list[Finding]:
    """Read the policy and put it to every run that the site consents to and that goes on.

    Raises:
        FednetError: The policy cannot be read, or the ledger does not answer.
    """
    policy = policies.airlock_policy(app)
    named = app.settings().airlock.policy
    found = [Finding("airlock", True, describe(policy, named))]
    if policy.content.held_out and not app.path(policy.content.held_out).exists():
        found.append(
            Finding(
                "airlock",
                False,
                f"content.held_out: no such file: {policy.content.held_out}",
                f"put records that are never trained on there, or change {named}",
            )
        )
    if not policy.speaks_of_plans or not app.settings().data.dataset:
        return found
    reader = wiring.reader(app)
    address = wiring.keystore_address(home.chosen_keystore(app, None))
    site = queries.own_site(reader, address)
    classes = _class_counts(app) if policy.data.minimum_per_class else None
    with wiring.store(app) as store:
        return found + of_runs(policy, reader, store, site, policies.book(app, site), classes)


def of_runs(
    policy: AirlockPolicy,
    reader: LedgerReader,
    store: BlobStore,
    site: SiteId,
    book: Book,
    classes: Mapping[int, int] | None,
) -> list[Finding]:
    """Put a policy to every run that a site consents to and that goes on; a finding a line.

    Raises:
        FednetError: The ledger or the store does not answer.
    """
    found = []
    for run, grant in _live(reader, site):
        entry = queries.opening_of(reader, run)
        plan = read_terms(reader, store, entry.opened).plan
        checks = check_admission(
            policy, reader, entry.opened, plan, grant, book.spent,
            has_begun=book.has_begun(run), class_counts=classes,
        )  # fmt: skip
        found += [_finding(run, check) for check in checks]
    return found


def describe(policy: AirlockPolicy, named: str) -> str:
    """Say in one line what the airlock does."""
    gate = "a person decides on each update" if policy.gate.human else "no person is asked"
    inside = ", ".join(sorted(policy.content.bounded)) or "no bound on what updates betray"
    return f"policy {named}; {gate}; {inside}" if named else f"no policy is named; {gate}; {inside}"


def _finding(run: RunId, check: Check) -> Finding:
    good = check.verdict is not Verdict.REFUSED
    return Finding(f"airlock, run {run}", good, check.sentence, check.remedy)


def _live(reader: LedgerReader, site: SiteId) -> list[tuple[RunId, GrantId]]:
    runs = [RunId(number) for number in range(1, reader.run_count() + 1)]
    members = [
        (run, reader.member(run, site)) for run in runs if not reader.state(run).phase.is_over
    ]
    return [(run, member.grant) for run, member in members if member.consenting]


def _class_counts(app: App) -> Mapping[int, int] | None:
    try:
        return private_data.inspect(app, private_data.choose(app, None, None)).class_counts
    except FednetError:
        return None  # the check of the data says what is amiss with it
