"""The honest run that tests share: two rounds by real nodes, and one claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fednet.audit import AuditReport, audit_run
from fednet.blobs import KuboStore
from fednet.codec.update import update_size_limit_bytes
from fednet.credits import CreditLedger
from fednet.domain import events as ev
from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Locator, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Phase
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from tests.attacks.network import Member, Network, Run

ROUNDS = 2
Named = tuple[Commitment, Locator, int]
"""A blob, where it is, and its size at most."""


@dataclass(frozen=True)
class Finished:
    """A run that is over."""

    network: Network
    members: Sequence[Member]
    run: RunId
    plan: Plan
    history: RunHistory
    opened: ev.RunOpened

    def update(self, position: int, round_number: int = 1) -> ev.UpdateSubmitted:
        """Give what a member submitted in a round."""
        attempt = self.history.rounds[RoundNumber(round_number)].final_attempt
        assert attempt is not None
        return attempt.submissions[self.members[position].site]

    def proposed(self, round_number: int = 1) -> ev.RoundProposed:
        """Give the final proposal of a round."""
        final = self.history.rounds[RoundNumber(round_number)].final_proposal
        assert final is not None
        return final.proposed

    def record(self, round_number: int) -> RoundRecord:
        """Fetch a round's record."""
        said = self.proposed(round_number)
        path = self.members[0].store.fetch(
            said.record, [said.record_locator], MAX_RECORD_SIZE_BYTES, 30.0
        )
        return RoundRecord.from_bytes(path.read_bytes(), "record")

    def blobs(self) -> list[Named]:
        """List every blob that an audit asks for."""
        model = self.plan.model.size_bytes
        found = [
            (self.opened.plan, self.opened.plan_locator, MAX_PLAN_SIZE_BYTES),
            (self.opened.initial_model, self.opened.initial_model_locator, model),
        ]
        limit = update_size_limit_bytes(self.plan)
        for number in range(1, ROUNDS + 1):
            said = self.proposed(number)
            state_locator = Locator(self.record(number).state_locator)
            found.append((said.record, said.record_locator, MAX_RECORD_SIZE_BYTES))
            found.append((said.state, state_locator, model))
            updates = [self.update(position, number) for position in range(len(self.members))]
            found.extend((each.commitment, each.locator, limit) for each in updates)
        return found

    def audit(
        self,
        store: KuboStore,
        reader: LedgerReader | None = None,
        checkpoints: Sequence[SignedCheckpoint] = (),
        fetch_seconds: float = 0.5,
    ) -> AuditReport:
        """Audit it through any store and any reader, beside any checkpoints."""
        return audit_run(
            reader or self.network.reader,
            store,
            self.run,
            work_dir=self.network.folder,
            fetch_seconds=fetch_seconds,
            checkpoints=checkpoints,
        )

    def checkpoint(self, reader: LedgerReader, site: SiteId) -> Checkpoint:
        """State what the chain says now, as a member would sign it."""
        head, deployment = reader.head(), reader.deployment
        said = self.proposed(ROUNDS)
        return Checkpoint(
            chain_id=deployment.chain_id,
            genesis_hash=deployment.genesis_hash,
            runs=deployment.runs,
            site=site,
            block=head.number,
            block_hash=head.block_hash,
            run=self.run,
            round=RoundNumber(ROUNDS),
            record=said.record,
            time=head.timestamp,
        )


def finish(network: Network) -> Finished:
    """Play an honest run to its end; the second member claims its credits."""
    members = network.members()
    with network.open(members, rounds=ROUNDS) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        history = run.history
    opened = [
        event
        for event in network.reader.events((ev.RunOpened,))
        if isinstance(event, ev.RunOpened) and event.run == run.run
    ]
    done = Finished(network, members, run.run, run.plan, history, opened[0])
    claim(network, run, members[1], done.record(ROUNDS))
    return done


def claim(network: Network, run: Run, member: Member, record: RoundRecord) -> None:
    """Have a member claim all that a record gives it."""
    earned: dict[SiteId, int] = record.earned
    deployment = network.reader.deployment
    account = CreditLedger(deployment.chain_id, deployment.credits, run.run)
    member.writer.claim(
        run.run, member.site, RoundNumber(record.round), record.settlement, earned[member.site],
        account.proof(earned, member.site),
    )  # fmt: skip
