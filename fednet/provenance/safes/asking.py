"""What the Five Safes view asks the index beyond its listings: acts in a run, one query each."""

# ruff: noqa: S608 - statements are put together of constants of ours alone

from __future__ import annotations

from fednet.domain.disclosures import ReleaseStatus
from fednet.provenance.building import build
from fednet.provenance.disclosing import RELEASES
from fednet.provenance.listings import Filters, Listing
from fednet.provenance.masking import MaskingAsking
from fednet.provenance.safes import rows
from fednet.provenance.schema import INDEX_BITS

_EVERY = 1 << 40
"""Rows at most: all of them."""
_SITES_OF_RUN = "x.site IN (SELECT site FROM consents WHERE run = ?)"
_GRANTS_OF_RUN = "x.grant_id IN (SELECT grant_id FROM consents WHERE run = ?)"

APPOINTMENTS = Listing(rows.AppointmentRow, "x.account, x.site, x.roles", "account_roles x")
STANDINGS = Listing(
    rows.StandingRow,
    "x.site, x.standing, x.roles, e.account",
    "memberships x",
    {"run": _SITES_OF_RUN},
)
NODE_KEYS = Listing(
    rows.NodeKeyRow, "x.site, x.encryption_key", "site_keys x", {"run": _SITES_OF_RUN}
)
MODULE_ACTS = Listing(rows.ModuleRow, "x.module, x.approved, e.account", "modules x")
CONSENTS = Listing(
    rows.ConsentRow,
    "x.site, x.grant_id, x.maximum_examples, x.expiry",
    "consents x",
    {"run": "x.run = ?"},
)
CONSENT_ENDS = Listing(
    rows.ConsentEndRow, "x.site, x.grant_id", "consent_ends x", {"run": "x.run = ?"}
)
DECISIONS = Listing(
    rows.DecisionRow,
    "x.grant_id, x.dataset, x.status, x.terms, x.expiry",
    "decisions x",
    {"run": _GRANTS_OF_RUN},
)
CLOSURES = Listing(
    rows.ClosureRow,
    "x.dataset",
    "dataset_closures x",
    {
        "run": "x.dataset IN (SELECT q.dataset FROM requests q JOIN consents c "
        "ON c.grant_id = q.grant_id WHERE c.run = ?)"
    },
)
_RELEASE_COUNTS = f"""
SELECT s.site, s.dataset, s.status, s.many, s.latest >> {INDEX_BITS}, b.time, e.tx
FROM (SELECT x.site AS site, x.dataset AS dataset,
    COALESCE(d.decision, {int(ReleaseStatus.REQUESTED)}) AS status, COUNT(*) AS many,
    MAX(COALESCE(d.at, x.at)) AS latest
    FROM {RELEASES.tables} WHERE x.run = ? GROUP BY 1, 2, 3) s
JOIN blocks b ON b.number = s.latest >> {INDEX_BITS} JOIN events e ON e.at = s.latest
ORDER BY s.site, s.dataset, s.status"""
_LAST_SPENDINGS = f"""
SELECT x.site, x.dataset, x.epsilon, x.delta, (SELECT COUNT(*) FROM spendings c
    WHERE c.run = x.run AND c.dataset = x.dataset), x.at >> {INDEX_BITS}, b.time, e.tx
FROM spendings x JOIN blocks b ON b.number = x.at >> {INDEX_BITS} JOIN events e ON e.at = x.at
WHERE x.at IN (SELECT MAX(l.at) FROM spendings l WHERE l.run = ? GROUP BY l.dataset)
ORDER BY x.site, x.dataset"""


class SafesAsking(MaskingAsking):
    """Answer about the acts of a run's people, too; all of them, in the order of the chain."""

    def appointments(self) -> list[rows.AppointmentRow]:
        """List every act that gave an account other than a node's its roles."""
        return self._acts(APPOINTMENTS, {})

    def standings(self, run: int) -> list[rows.StandingRow]:
        """List applications, admissions and changes of standing of the sites of a run."""
        return self._acts(STANDINGS, {"run": run})

    def node_keys(self, run: int) -> list[rows.NodeKeyRow]:
        """List the encryption keys that the sites of a run ever registered."""
        return self._acts(NODE_KEYS, {"run": run})

    def module_acts(self) -> list[rows.ModuleRow]:
        """List approvals and withdrawals of rounds modules."""
        return self._acts(MODULE_ACTS, {})

    def consents(self, run: int) -> list[rows.ConsentRow]:
        """List the consents to a run."""
        return self._acts(CONSENTS, {"run": run})

    def consent_ends(self, run: int) -> list[rows.ConsentEndRow]:
        """List the consents to a run that ended."""
        return self._acts(CONSENT_ENDS, {"run": run})

    def decisions(self, run: int) -> list[rows.DecisionRow]:
        """List what was decided on the requests that sites consented to a run under."""
        return self._acts(DECISIONS, {"run": run})

    def closures(self, run: int) -> list[rows.ClosureRow]:
        """List the datasets of a run that were closed."""
        return self._acts(CLOSURES, {"run": run})

    def release_counts(self, run: int) -> list[rows.ReleaseCount]:
        """Count what sites' airlocks decided in a run, by site, dataset and decision."""
        return self._ask(lambda db: build(rows.ReleaseCount, db.execute(_RELEASE_COUNTS, (run,))))

    def last_spendings(self, run: int) -> list[rows.LastSpending]:
        """Tell what a run has spent so far of each dataset's privacy."""
        return self._ask(lambda db: build(rows.LastSpending, db.execute(_LAST_SPENDINGS, (run,))))

    def _acts(self, listing: Listing[rows.Act], filters: Filters) -> list[rows.Act]:
        return self._page(listing, filters, _EVERY, 0, newest=False)
