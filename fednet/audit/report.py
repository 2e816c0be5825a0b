"""The result of an audit, ready for a person or for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fednet.audit.anchoring import Anchor
from fednet.audit.checks import CHECKS
from fednet.audit.findings import Finding, Severity
from fednet.domain.identity import Address, Commitment, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Head, Phase
from fednet.domain.proofs import LogProof
from fednet.errors import SealedError

REPORT_FORMAT = "fednet-audit/3"
ERASURE_CODES = frozenset({"blob-erased", "round-erased"})
"""Findings that say of something that it was erased."""


class RoundVerdict(StrEnum):
    """What recomputing a round gave."""

    VERIFIED = "verified"
    WRONG = "wrong"
    """The final record is not what recomputation gives."""
    UNVERIFIABLE = "unverifiable"
    """Evidence is missing or altered."""
    OPEN = "open"
    """Not final."""
    SEALED = "sealed"
    """Not readable with the keys given: not replayed, and nothing is said of it."""
    ERASED = "erased"
    """Updates of it were erased on recorded grounds, so that it cannot be recomputed any more."""


class SiteVerdict(StrEnum):
    """What an audit says of a site in a run."""

    VERIFIED = "verified"
    ACCUSED = "accused"
    """Its own acts convict it of something."""
    UNVERIFIABLE = "unverifiable"
    """Not accused, and some round it took part in could not be verified."""


@dataclass(frozen=True, slots=True)
class SiteResult:
    """What became of one submission of the attempt that counts."""

    site: SiteId
    weight: int
    verdict: str
    """``included``, ``invalid`` or ``unavailable``; empty if it could not be judged."""
    reason: str
    earned: int
    """Credits of this round."""
    staleness: int = 0
    """Rounds by which an included update was late."""

    def to_json(self) -> dict[str, object]:
        """Return the result in the stable form of ``--json``."""
        return {
            "site": self.site,
            "weight": self.weight,
            "verdict": self.verdict,
            "reason": self.reason,
            "earned": self.earned,
            "staleness": self.staleness,
        }


@dataclass(frozen=True, slots=True)
class Recalled:
    """A round that an earlier audit of this machine verified."""

    round: RoundNumber
    time: int
    """When, in seconds since 1970 by this machine's clock."""
    block: int
    """Block that the earlier audit saw last."""

    def to_json(self) -> dict[str, object]:
        """Return it in the stable form of ``--json``."""
        return {"round": self.round, "time": self.time, "block": self.block}


@dataclass(frozen=True, slots=True)
class RoundResult:
    """The verdict on one round, and on every site in it."""

    round: RoundNumber
    verdict: RoundVerdict
    attempt: int
    """The final attempt, or the last one."""
    record: Commitment | None
    state: Commitment | None
    attestations: int
    sites: tuple[SiteResult, ...]
    outcome: Mapping[str, str | int | list[int]] = field(default_factory=dict)
    """What the rule did to included updates, as recomputed; empty if it treats all alike."""

    def to_json(self) -> dict[str, object]:
        """Return the result in the stable form of ``--json``."""
        return {
            "round": self.round,
            "verdict": self.verdict.value,
            "attempt": self.attempt,
            "record": str(self.record) if self.record else None,
            "state": str(self.state) if self.state else None,
            "attestations": self.attestations,
            "sites": [entry.to_json() for entry in self.sites],
            "outcome": dict(self.outcome),
        }


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Everything that an audit of a run found."""

    run: RunId
    chain_id: int
    contract: Address
    """The rounds module."""
    head: Head
    """Block that the audit saw last."""
    phase: Phase
    plan: Commitment
    rounds: tuple[RoundResult, ...]
    findings: tuple[Finding, ...]
    anchored: bool = False
    """Whether a checkpoint that holds covers every final round; see ``anchoring``."""
    proof: LogProof = field(default_factory=lambda: LogProof(False))
    """How far the events are proven by the blocks' headers."""
    anchors: tuple[Anchor, ...] = ()
    recalled: tuple[Recalled, ...] = ()
    """Rounds whose bytes were looked at by an earlier audit of this machine, not by this one."""

    @property
    def verified(self) -> bool:
        """Tell whether nothing but notices was found."""
        return all(entry.severity is Severity.NOTICE for entry in self.findings)

    @property
    def erased(self) -> bool:
        """Tell whether nothing worse was found than that updates were erased on recorded grounds.

        What rests on them is then not verified, and cannot be by anybody.
        """
        told = {each.code for each in self.findings if each.severity is not Severity.NOTICE}
        return bool(told) and told <= ERASURE_CODES

    @property
    def is_sealed(self) -> bool:
        """Tell whether nothing is worse than that some is sealed to this auditor, or erased."""
        told = [each for each in self.findings if each.severity is not Severity.NOTICE]
        sealed = [each for each in told if each.severity is Severity.SEALED]
        rest = {each.code for each in told if each.severity is not Severity.SEALED}
        return bool(sealed) and rest <= ERASURE_CODES

    @property
    def exit_code(self) -> int:
        """Return 0 if verified, that of a sealed blob if that is all, else 1.

        Errors that kept the audit from looking have others.
        """
        if self.is_sealed:
            return SealedError.exit_code
        return 0 if self.verified else 1

    @property
    def accused(self) -> tuple[SiteId, ...]:
        """List the sites whose own acts convict them, in ascending order."""
        return tuple(sorted({entry.accused for entry in self.findings if entry.accused}))

    @property
    def sites(self) -> dict[SiteId, SiteVerdict]:
        """Sum up what is said of each site that took part in a final round."""
        said: dict[SiteId, SiteVerdict] = {}
        for entry in self.rounds:
            for site in entry.sites if entry.verdict is not RoundVerdict.OPEN else ():
                held = said.setdefault(site.site, SiteVerdict.VERIFIED)
                doubt = entry.verdict is not RoundVerdict.VERIFIED
                said[site.site] = SiteVerdict.UNVERIFIABLE if doubt else held
        for accused in self.accused:
            said[accused] = SiteVerdict.ACCUSED
        return dict(sorted(said.items()))

    def to_json(self) -> dict[str, object]:
        """Return the report in the stable form of ``--json``; see docs/audit.schema.json."""
        return {
            "format": REPORT_FORMAT,
            "run": self.run,
            "chain_id": self.chain_id,
            "contract": self.contract,
            "block": self.head.number,
            "block_hash": str(self.head.block_hash),
            "anchored": self.anchored,
            "proof": self.proof.to_json(),
            "anchors": [entry.to_json() for entry in self.anchors],
            "recalled": [entry.to_json() for entry in self.recalled],
            "phase": self.phase.name.lower(),
            "plan": str(self.plan),
            "verified": self.verified,
            "accused": list(self.accused),
            "sites": [{"site": site, "verdict": said.value} for site, said in self.sites.items()],
            "checks": [{"number": check.number, "title": check.title} for check in CHECKS],
            "rounds": [entry.to_json() for entry in self.rounds],
            "findings": [entry.to_json() for entry in self.findings],
        }
