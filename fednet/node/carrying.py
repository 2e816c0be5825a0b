"""What a node knows of a run in which acts are carried: sheets, mail, who is in the committee.

Sites of one process share one of these, so that a sheet is judged and a message
verified once for all of them.
"""

from __future__ import annotations

from fednet.audit import Arrival, RowVerdict, judge_rows, settlement_of
from fednet.credits import settlement_hash
from fednet.domain.batch_signing import Module
from fednet.domain.batches import (
    BatchedUpdate,
    committee_of,
    draw_committee,
    sheet_size_bytes,
)
from fednet.domain.history import AttemptHistory, RunHistory
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ledger import Phase, RunState
from fednet.domain.messages import MessageBus
from fednet.domain.ports import LedgerReader
from fednet.node.accounts import AccountBook
from fednet.node.fetching import Fetcher
from fednet.node.handing import Handing
from fednet.node.mailbox import Mailbox, Now
from fednet.node.places import AttemptKey, ProposalKey, find_attempt, find_proposal
from fednet.node.reading import RunReading
from fednet.node.terms import RunTerms
from fednet.node.view import Carriage

_HASHES = 256
"""Blocks whose hashes a contract can still ask for."""
_Rows = dict[SiteId, RowVerdict]


class Carrying:
    """Follow what is carried in one run.

    Args:
        reader: Ledger to read.
        terms: What the run agreed on.
        reading: Where the run stands.
        fetcher: Holds the sheets.
        bus: Brings the messages of others; None where there is none.
    """

    def __init__(
        self,
        reader: LedgerReader,
        terms: RunTerms,
        reading: RunReading,
        fetcher: Fetcher,
        bus: MessageBus | None,
    ) -> None:
        self._reader = reader
        self._terms = terms
        self._reading = reading
        self._fetcher = fetcher
        self._module = Module(terms.chain_id, terms.module)
        self._book = AccountBook(reader)
        self.mailbox = (
            Mailbox(bus, terms.run, self._module, reader.signer_of) if bus is not None else None
        )
        self.rows: dict[AttemptKey, _Rows] = {}
        """Verdicts on rows whose sheet is here."""
        self._committees: dict[ProposalKey, tuple[object, tuple[SiteId, ...]]] = {}
        self._now: Now | None = None
        self._seen: tuple[int, int] = (-1, -1)

    def look(self, ground: RoundNumber | None = None) -> None:
        """Take in sheets and messages that have come.

        Args:
            ground: Last final round whose state is here; rounds after it may be replayed. None or
                0 if nobody replays.

        Raises:
            LedgerError: The chain does not answer.
        """
        history, state = self._reading.history, self._reading.state
        seen = (len(history.events), self._fetcher.count)
        if seen != self._seen:
            self._judge_sheets(history, ground)
            self._seen = seen
        if self.mailbox is None:
            return
        if state.phase in (Phase.COLLECTING, Phase.ATTESTING):
            self._take_mail(history, state, self.mailbox)
        else:
            self.mailbox.listen()

    def close(self) -> None:
        """Listen to nobody any more."""
        if self.mailbox is not None:
            self.mailbox.leave()

    def committee(self) -> tuple[SiteId, ...] | None:
        """List who votes on the proposal at hand, first carrier first; None if not known yet.

        Raises:
            LedgerError: The chain does not answer.
        """
        history, state = self._reading.history, self._reading.state
        if state.phase is not Phase.ATTESTING:
            return None
        key = ProposalKey(state.round, state.attempt, state.proposal)
        attempt, proposal = find_attempt(history, key.attempt_key), find_proposal(history, key)
        if attempt is None or proposal is None:
            return None
        size, length = self._terms.plan.module.committee_sites, attempt.started.roster_length
        if size == 0 or size > attempt.started.cohort:
            return _everybody(history, key, length)
        if (drawn := proposal.committee) is not None:
            return tuple(history.roster[position] for position in committee_of(drawn))
        first, next_block = proposal.proposed.log.block, self._reading.block + 1
        if next_block <= first:
            return None
        seed_block = first + (next_block - 1 - first) // _HASHES * _HASHES
        ground = (seed_block, frozenset(history.seats.items()))
        known = self._committees.get(key)
        if known is None or known[0] != ground:
            (head,) = self._reader.blocks([seed_block])
            positions = draw_committee(
                head.block_hash, proposal.proposed, size, length, history.seats.keys()
            )
            known = (ground, tuple(history.seats[position] for position in positions))
            self._committees = {key: known}
        return known[1]

    def _take_mail(self, history: RunHistory, state: RunState, mailbox: Mailbox) -> None:
        key = ProposalKey(state.round, state.attempt, state.proposal)
        proposal = find_proposal(history, key) if state.phase is Phase.ATTESTING else None
        settlement = settlement_hash(settlement_of(proposal.proposed)) if proposal else None
        if self._now is None or self._now.key.attempt_key != key.attempt_key:
            accounts = self._book.at(self._reading.block)
            members = set(history.seats.values())
            accounts = {site: accounts[site] for site in members & accounts.keys()}
        else:
            accounts = dict(self._now.accounts)
        self._now = Now(key, settlement, accounts)
        mailbox.look(self._now)

    def _judge_sheets(self, history: RunHistory, ground: RoundNumber | None) -> None:
        """Judge the rows of recent rounds whose sheets are here."""
        last = max(history.rounds, default=RoundNumber(0))
        first = min(last - 1, ground) if ground else last - 1
        recent = {number for number in history.rounds if number >= first}
        self.rows = {key: rows for key, rows in self.rows.items() if key.round in recent}
        for number in recent:
            for attempt, found in history.rounds[number].attempts.items():
                self._judge_attempt(AttemptKey(number, attempt), found)

    def _judge_attempt(self, key: AttemptKey, attempt: AttemptHistory) -> None:
        batches: dict[tuple[int, int], list[BatchedUpdate]] = {}
        # A site's own submission takes its row's place, and with it what was said of the row.
        judged = {
            site: verdict
            for site, verdict in self.rows.get(key, {}).items()
            if isinstance(attempt.submissions.get(site), BatchedUpdate)
        }
        for row in attempt.submissions.values():
            if isinstance(row, BatchedUpdate) and row.site not in judged:
                batches.setdefault((row.log.block, row.log.index), []).append(row)
        found: _Rows = {}
        for rows in batches.values():
            path = self._fetcher.path(rows[0].sheet, sheet_size_bytes(rows[0].rows))
            if path is None or not path.exists():
                continue
            found |= judge_rows(
                rows, path.read_bytes(), self._module, self._arrival(rows[0]),
                self._reader.signer_of,
            )  # fmt: skip
        # Views hold the mapping that was here, so it is replaced, not changed.
        self.rows[key] = judged | found

    def _arrival(self, row: BatchedUpdate) -> Arrival:
        (head,) = self._reader.blocks([row.log.block])
        return Arrival(head.timestamp, self._book.at(row.log.block, row.log))


def _everybody(history: RunHistory, key: ProposalKey, length: int) -> tuple[SiteId, ...]:
    """List the cohort from the position whose turn it is."""
    turn = (key.round + key.attempt + key.number) % max(length, 1)
    seats = ((position - turn) % length for position in history.seats if position < length)
    return tuple(history.seats[(at + turn) % length] for at in sorted(seats))


def begin_carrying(
    reader: LedgerReader,
    terms: RunTerms,
    reading: RunReading,
    fetcher: Fetcher,
    bus: MessageBus | None,
) -> Carrying | None:
    """Follow what is carried, in a run in which anything is."""
    return Carrying(reader, terms, reading, fetcher, bus) if terms.plan.is_batched else None


def carriage_of(carrying: Carrying | None, handing: Handing | None) -> Carriage:
    """Gather what a decision rests on.

    Raises:
        LedgerError: The chain does not answer.
    """
    if carrying is None:
        return Carriage()
    if carrying.mailbox is None or handing is None:
        return Carriage(rows=carrying.rows, committee=carrying.committee())
    return Carriage(
        is_open=carrying.mailbox.is_open,
        updates=carrying.mailbox.updates.keys(),
        votes=carrying.mailbox.votes.keys(),
        rows=carrying.rows,
        committee=carrying.committee(),
        handed=handing.handed,
        voiced=handing.voiced,
        refused=handing.refused,
    )
