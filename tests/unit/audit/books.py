"""The audit's ledger in memory: what a test wrote into the books, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak

from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.batches import unfold
from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.disclosures import NO_LOSS, DatasetBudget, DisclosureLog
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    ZERO_DIGEST,
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import (
    CreditAccount,
    Deployment,
    Head,
    Modules,
    Parameters,
    Phase,
    Role,
    Run,
    RunState,
    Site,
    Standing,
)
from fednet.domain.masking_events import MASKING_EVENTS
from fednet.domain.masking_stages import MaskingLog, MaskingTimes
from fednet.domain.plan import Plan
from fednet.domain.proofs import LedgerClaims, LogProof
from fednet.domain.running_hash import running_hash_of
from fednet.domain.update import Place
from fednet.errors import LedgerError
from fednet.ledger.batches import signer_of
from fednet.ledger.checkpoints import sign_checkpoint, verify_checkpoint

RUN = RunId(1)
CHAIN_ID = 1337
REGISTRY, ACCESS, RUNS, CREDITS, MODULE, RESEARCHER = (
    Address("0x" + f"{number:02x}" * 20) for number in range(1, 7)
)
BATCHED, SAMPLED, DISCLOSURES, MASKING, MASKED = (
    Address("0x" + f"{number:02x}" * 20) for number in (7, 8, 9, 16, 17)
)
DEPLOYMENT = Deployment(
    CHAIN_ID,
    ZERO_DIGEST,
    1,
    REGISTRY,
    ACCESS,
    RUNS,
    CREDITS,
    DISCLOSURES,
    MASKING,
    Modules(MODULE, BATCHED, SAMPLED, MASKED),
    (),
)
BEGUN = 1_000_000
EXPIRY = 10_000_000


@cache
def account_of(site: int) -> LocalAccount:
    """Return the account of a site's node."""
    account: LocalAccount = Account.from_key(keccak(f"site {site}".encode()))
    return account


class Books:
    """Answer as a ``LedgerReader`` does."""

    plan: Plan
    opened: ev.RunOpened
    place: Place
    sites: list[SiteId]
    earned: dict[SiteId, int]

    def __init__(self) -> None:
        self.logged: list[ev.RunEvent] = []
        self.events_seen: list[ev.LedgerEvent] = []
        self.taken_in: list[ev.LedgerEvent] = []
        """What happened, of which a test may take something out of ``events_seen``."""
        self.settlements: dict[RoundNumber, Digest] = {}
        self.accounts: dict[SiteId, CreditAccount] = {}
        self.block = 1
        self.now = BEGUN
        self.times = {1: BEGUN}
        self.fork = ""
        """Names the history, so that another one has other block hashes."""
        self.producer = ""
        self.is_recorded = False
        self.deployment = DEPLOYMENT

    def emit(self, kind: type[ev.LedgerEvent], **fields: Any) -> Any:
        self.block += 1
        self.times[self.block] = self.now
        raw = repr(sorted(fields.items())).encode()
        topics = (keccak(kind.__name__.encode()), keccak(raw))
        contract = MODULE if issubclass(kind, ev.RunEvent) else RUNS
        contract = DISCLOSURES if issubclass(kind, de.DISCLOSURES) else contract
        contract = MASKING if issubclass(kind, MASKING_EVENTS) else contract
        log = ev.Log(self.block, 0, ZERO_DIGEST, contract, topics, raw)
        if issubclass(kind, ev.RunEvent):
            event: Any = kind(log, RUN, **fields)
            self.logged.append(event)
        else:
            event = kind(log, **fields)
            self.events_seen.append(event)
            self.taken_in.append(event)
        return event

    def admit(self, site: SiteId) -> None:
        self.emit(
            ev.SiteApplied,
            site=site,
            account=Address(account_of(site).address),
            name=f"site {site}",
            metadata=Commitment(ZERO_DIGEST),
            encryption_key=self.encryption_key(site),
            store_address="",
        )
        roles = Role.SITE | Role.AGGREGATOR
        self.emit(ev.SiteAdmitted, site=site, operator=RESEARCHER, roles=roles, allowance=0)

    def encryption_key(self, site: SiteId) -> Digest:
        """Give the key that a site registers when it applies."""
        return ZERO_DIGEST

    def grant(self, site: SiteId) -> None:
        dataset, grant, nothing = DatasetId(site), GrantId(site), Commitment(ZERO_DIGEST)
        self.emit(
            ev.DatasetRegistered,
            dataset=dataset,
            site=site,
            description=nothing,
            data=nothing,
            examples=1000,
        )
        self.emit(
            ev.AccessRequested,
            grant=grant,
            dataset=dataset,
            researcher=RESEARCHER,
            purpose=nothing,
            purpose_locator=Locator(ZERO_DIGEST),
        )
        self.emit(
            ev.AccessGranted,
            grant=grant,
            dataset=dataset,
            site=site,
            terms=nothing,
            terms_locator=Locator(ZERO_DIGEST),
            expiry=EXPIRY,
        )

    @property
    def recorded(self) -> list[ev.LedgerEvent]:
        """List what the ledger of disclosures took in, whatever the log says of it."""
        return [event for event in self.taken_in if isinstance(event, de.DISCLOSURES)]

    def submissions(self) -> list[ev.UpdateSubmitted]:
        """List those of the attempt; a site's own takes the place of its row in a batch."""
        found: dict[SiteId, ev.UpdateSubmitted] = {}
        for event in unfold(self.logged):
            if isinstance(event, ev.UpdateSubmitted) and (event.round, event.attempt) == (
                self.place.round,
                self.place.attempt,
            ):
                found.pop(event.site, None)
                found[event.site] = event
        return list(found.values())

    def verify_checkpoint(self, signed: SignedCheckpoint) -> None:
        verify_checkpoint(signed)

    def signer_of(self, digest: Digest, signature: bytes) -> Address | None:
        return signer_of(digest, signature)

    def head(self) -> Head:
        return self.blocks([self.block])[0]

    def blocks(self, numbers: Sequence[int]) -> Sequence[Head]:
        if any(number > self.block for number in numbers):
            raise LedgerError("the chain has no such block")
        return [
            Head(
                number,
                Digest(keccak(f"{self.fork} {number}".encode())),
                self.times[number],
                self.producer,
            )
            for number in numbers
        ]

    def site(self, site: SiteId) -> Site:
        account = Address(account_of(site).address)
        role = Role.SITE | Role.AGGREGATOR
        nothing = Commitment(ZERO_DIGEST)
        return Site(site, account, Standing.ACTIVE, role, 1, 1, bytes(32), nothing)

    def run(self, run: RunId) -> Run:
        return Run(run, MODULE, RESEARCHER, self.opened.plan, self.opened.initial_model)

    def parameters(self, run: RunId) -> Parameters:
        return self.plan.parameters()

    def drawn_sites(self, run: RunId) -> int | None:
        return self.plan.module.drawn_sites

    def state(self, run: RunId) -> RunState:
        history = RunHistory.of(RUN, self.logged)
        phase = Phase.COMPLETED if history.completed else Phase.COLLECTING
        values = dict.fromkeys(RunState.__dataclass_fields__, 0)
        values |= {
            "phase": phase,
            "round": max(history.rounds, default=0),
            "final_rounds": history.final_rounds,
            "credits_granted": sum(self.earned.values()),
            "consenting": len(self.sites),
        }
        return RunState(**values)  # type: ignore[arg-type]

    def running_hash(self, run: RunId) -> Digest:
        head = bytes(32)
        for event in self.logged:
            head = keccak(head + b"".join(event.log.topics) + event.log.data)[:26] + bytes(6)
        return Digest(head)

    def disclosures(self) -> DisclosureLog:
        logs = [event.log for event in self.recorded]
        return DisclosureLog(running_hash_of(logs), len(logs))

    def masking_log(self) -> MaskingLog:
        logs = [event.log for event in self.taken_in if isinstance(event, MASKING_EVENTS)]
        return MaskingLog(running_hash_of(logs), len(logs))

    def masking_times(self, run: RunId) -> MaskingTimes | None:
        return self.plan.masking_times

    def budget(self, dataset: DatasetId) -> DatasetBudget:
        ceiling, spent = NO_LOSS, {}
        for event in self.recorded:
            if getattr(event, "dataset", None) == dataset and isinstance(event, de.CeilingSet):
                ceiling = event.ceiling
            if getattr(event, "dataset", None) == dataset and isinstance(event, de.BudgetSpent):
                spent[event.run] = event.spent
        total = sum(spent.values(), NO_LOSS)
        return DatasetBudget(
            dataset, SiteId(dataset), ceiling.epsilon_micro, ceiling.delta_pico,
            total.epsilon_micro, total.delta_pico, 0,
        )  # fmt: skip

    def settlement(self, run: RunId, round_number: RoundNumber) -> Digest:
        return self.settlements[round_number]

    def credit_account(self, run: RunId, site: SiteId) -> CreditAccount:
        return self.accounts.get(site, CreditAccount(0, 0))

    def credit_total(self, run: RunId) -> tuple[int, bool]:
        claimed = sum(account.claimed for account in self.accounts.values())
        return claimed, self.plan.credits.transferable

    def run_events(self, run: RunId, from_block: int = 0) -> Sequence[ev.RunEvent]:
        return tuple(self.logged)

    def module_events(
        self, modules: Sequence[Address], from_block: int = 0
    ) -> Sequence[ev.RunEvent]:
        return tuple(self.logged) if MODULE in modules else ()

    def prove(self, claims: LedgerClaims) -> LogProof:
        return LogProof(True, stored=("running hash",))

    def events(
        self, kinds: Sequence[type[ev.LedgerEvent]], from_block: int = 0
    ) -> Sequence[ev.LedgerEvent]:
        return [
            event
            for event in self.events_seen
            if isinstance(event, tuple(kinds)) and event.log.block >= from_block
        ]

    def checkpoint(
        self, site: int, account: LocalAccount | None = None, **changes: Any
    ) -> SignedCheckpoint:
        """Sign what the ledger says now, as a site's node does, or something else."""
        history = RunHistory.of(RUN, self.logged)
        final = (
            history.rounds[RoundNumber(last)].final_proposal
            if (last := history.final_rounds)
            else None
        )
        head = self.head()
        said = Checkpoint(
            chain_id=CHAIN_ID,
            genesis_hash=DEPLOYMENT.genesis_hash,
            runs=RUNS,
            site=SiteId(site),
            block=head.number,
            block_hash=head.block_hash,
            run=RUN,
            round=RoundNumber(last),
            record=final.proposed.record if final else Commitment(ZERO_DIGEST),
            time=self.now,
        )
        return sign_checkpoint(replace(said, **changes), account or account_of(site))
