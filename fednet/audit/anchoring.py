"""Check 24: the chain beside what members once signed that it said.

Who alone makes a chain's blocks can roll it back and build another history, in
which everything agrees with everything. Only a statement from before, signed by
somebody else, contradicts it. A statement counts if its signature holds and its
account was the site's node at that block, or is one that the auditor trusts.

A contradiction convicts nobody: either the chain was rewritten or the signer
signed what was not so. Whose duty it is to explain it is the chain's operator.
What is forged, foreign or a stranger's is named and weighs nothing. An anchor
proves that the history up to its block was the same when it was signed; it says
nothing of later blocks, and no more than its signer's word of the time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from fednet.audit.checks import CHECKPOINTS
from fednet.audit.findings import Findings, Severity
from fednet.audit.membership import Register
from fednet.audit.snapshot import Snapshot
from fednet.domain import events as ev
from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.history import RunHistory
from fednet.domain.identity import Address, SiteId
from fednet.domain.ledger import Head
from fednet.domain.ports import LedgerReader
from fednet.errors import LedgerError, LedgerUnavailableError, VerificationError

MOST_CHECKPOINTS = 10_000
"""Checkpoints that one audit compares; the latest by block."""
DUTY = "the chain's operator, to explain it"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint that holds."""

    site: SiteId
    account: Address
    block: int
    time: int
    """Seconds since 1970, as its signer says."""

    def to_json(self) -> dict[str, object]:
        """Return the anchor in the stable form of ``--json``."""
        return {
            "site": self.site,
            "account": self.account,
            "block": self.block,
            "time": self.time,
        }


@dataclass(frozen=True, slots=True)
class Anchoring:
    """What the checkpoints gave."""

    anchors: tuple[Anchor, ...]
    """The latest that holds of each account, by block."""
    anchored: bool
    """Whether every final round stands in a block that a checkpoint covers."""


@dataclass(slots=True)
class _Comparison:
    snapshot: Snapshot
    history: RunHistory | None
    findings: Findings
    head: Head
    blocks: dict[int, Head]
    is_recorded: bool
    held: dict[Address, Anchor] = field(default_factory=dict)
    contradictions: list[tuple[SignedCheckpoint, str, str, str]] = field(default_factory=list)


def check_checkpoints(
    snapshot: Snapshot,
    history: RunHistory | None,
    reader: LedgerReader,
    given: Sequence[SignedCheckpoint],
    findings: Findings,
    trusted: Collection[Address] = (),
    pinned: int = -1,
) -> Anchoring:
    """Compare every checkpoint with the chain.

    Args:
        snapshot: What the ledger says.
        history: The run's, if its events could be folded.
        reader: Gives the headers of the blocks that checkpoints name.
        given: Checkpoints from anywhere; nothing about them is believed.
        findings: Where to note what is wrong.
        trusted: Accounts whose word counts though the ledger does not know them: the
            auditor's own.
        pinned: Last block up to which a pinned hash proves the chain.
    """
    sound = _sound(_distinct(given), snapshot, reader, findings)
    authorised = _authorised(sound, snapshot.events, trusted, findings)
    head = reader.head()
    wanted = sorted(
        {each.statement.block for each in authorised if each.statement.block <= head.number}
    )
    comparison = _Comparison(
        snapshot, history, findings, head, _headers(reader, wanted), reader.is_recorded
    )
    for signed in authorised:
        _compare(comparison, signed)
    _report_contradictions(comparison)
    anchors = tuple(sorted(comparison.held.values(), key=lambda each: (each.block, each.site)))
    return Anchoring(anchors, _report_uncovered(comparison, anchors, pinned))


def check_operator(snapshot: Snapshot, findings: Findings) -> None:
    """Say so if one account made every block that was looked at."""
    producers = {head.producer for head in (snapshot.head, *snapshot.blocks.values())}
    if len(producers) == 1 and "" not in producers:
        findings.add(
            CHECKPOINTS,
            "single-operator",
            f"chain {snapshot.deployment.chain_id}",
            "one account made every block that was looked at: who owns it could rewrite them all",
            severity=Severity.NOTICE,
            duty="members, to keep checkpoints",
            actual=producers.pop(),
        )


def _distinct(given: Iterable[SignedCheckpoint]) -> list[SignedCheckpoint]:
    once = {(each.statement, each.account.lower(), each.signature): each for each in given}
    ordered = sorted(once.values(), key=lambda each: each.statement.block)
    return ordered[-MOST_CHECKPOINTS:]


def _sound(
    given: list[SignedCheckpoint],
    snapshot: Snapshot,
    reader: LedgerReader,
    findings: Findings,
) -> list[SignedCheckpoint]:
    """Keep those of this deployment whose signature holds; the others accuse nobody."""
    sound = []
    for signed in given:
        if not signed.statement.is_of(snapshot.deployment):
            _set_aside(findings, signed, "checkpoint-foreign", "speaks of another deployment")
            continue
        try:
            reader.verify_checkpoint(signed)
        except VerificationError as exc:
            _set_aside(findings, signed, "checkpoint-forged", exc.message)
            continue
        sound.append(signed)
    return sound


def _authorised(
    sound: list[SignedCheckpoint],
    events: Sequence[ev.LedgerEvent],
    trusted: Collection[Address],
    findings: Findings,
) -> list[SignedCheckpoint]:
    """Keep those by the site's node of that block, by an account of the site, or trusted ones.

    The chain that is doubted is also the one that says who was a member. A block that it
    moved must not make a member a stranger, so an account that the site had at any time
    will do: it can contradict, and where it agrees, the block's hash vouches for the rest.
    """
    known: dict[SiteId, set[str]] = {}
    register = Register()
    for event in events:
        register.take(event)
        if isinstance(event, ev.SiteApplied | ev.SiteAccountRotated):
            known.setdefault(event.site, set()).add(event.account.lower())
    relied = {account.lower() for account in trusted}
    kept = []
    for signed in sound:
        account, site = signed.account.lower(), signed.statement.site
        if account in relied or account in known.get(site, ()):
            kept.append(signed)
        else:
            _set_aside(
                findings, signed, "checkpoint-of-stranger", "its account never was the site's node"
            )
    return kept


def _headers(reader: LedgerReader, numbers: list[int]) -> dict[int, Head]:
    """Read headers; a reader that cannot give one (a bundle's) leaves it out."""
    try:
        return {head.number: head for head in reader.blocks(numbers)}
    except LedgerUnavailableError:
        raise
    except LedgerError:
        found = {}
        for number in numbers:
            try:
                found[number] = reader.blocks([number])[0]
            except LedgerUnavailableError:
                raise
            except LedgerError:
                continue
        return found


def _compare(comparison: _Comparison, signed: SignedCheckpoint) -> None:
    said, head = signed.statement, comparison.head
    if said.block > head.number and comparison.is_recorded:
        _set_aside(
            comparison.findings, signed, "checkpoint-not-compared", "is later than what is recorded"
        )
        return
    if said.block > head.number:
        _contradict(comparison, signed, f"block {said.block}", f"the chain ends at {head.number}")
        return
    block = comparison.blocks.get(said.block)
    if block is None:
        _set_aside(
            comparison.findings, signed, "checkpoint-not-compared", "its block cannot be read here"
        )
        return
    if block.block_hash != said.block_hash:
        _contradict(comparison, signed, f"hash {said.block_hash}", f"hash {block.block_hash}")
        return
    if said.run == comparison.snapshot.run_id and comparison.history is not None:
        actual = _latest_record(comparison.history, said.block)
        if actual != (said.round, str(said.record)):
            _contradict(
                comparison,
                signed,
                f"round {said.round}, record {said.record}",
                f"round {actual[0]}, record {actual[1]}",
            )
            return
    account = Address(signed.account.lower())
    comparison.held[account] = Anchor(said.site, signed.account, said.block, said.time)


def _latest_record(history: RunHistory, block: int) -> tuple[int, str]:
    """Return the latest round that was final at the end of a block, and its record."""
    latest = (0, "00" * 32)
    for number, entry in history.rounds.items():
        final = entry.final_proposal
        if entry.finalized and final and entry.finalized.log.block <= block:
            latest = max(latest, (int(number), str(final.proposed.record)))
    return latest


def _contradict(
    comparison: _Comparison, signed: SignedCheckpoint, expected: str, actual: str
) -> None:
    comparison.contradictions.append((signed, expected, actual, signed.subject))


def _report_contradictions(comparison: _Comparison) -> None:
    agreeing = len(comparison.held)
    for signed, expected, actual, subject in comparison.contradictions:
        said = signed.statement
        comparison.findings.add(
            CHECKPOINTS,
            "history-rewritten",
            subject,
            "the chain tells another history than was signed: it was rewritten, or the signer"
            f" signed what was not so; checkpoints of {agreeing} accounts agree with the chain",
            round_number=said.round or None if said.run == comparison.snapshot.run_id else None,
            duty=DUTY,
            expected=expected,
            actual=actual,
            evidence=signed.to_bytes().decode(),
        )


def _report_uncovered(comparison: _Comparison, anchors: tuple[Anchor, ...], pinned: int) -> bool:
    """Name the final rounds that no checkpoint or pin covers; tell whether all are covered."""
    covered = max((each.block for each in anchors), default=pinned)
    covered = max(covered, pinned)
    rounds = comparison.history.rounds if comparison.history else {}
    final = {number: entry.finalized for number, entry in rounds.items() if entry.finalized}
    open_rounds = [number for number, event in final.items() if event.log.block > covered]
    if not open_rounds:
        return bool(final)
    comparison.findings.add(
        CHECKPOINTS,
        "unanchored",
        f"run {comparison.snapshot.run_id}",
        f"no checkpoint shows that rounds from {min(open_rounds)} on were not rolled back and"
        " written anew",
        severity=Severity.NOTICE,
        duty="members, to keep and to show checkpoints",
        expected="a checkpoint of a later block",
        actual=f"checkpoints up to block {covered}" if anchors else "no checkpoint that holds",
    )
    return False


def _set_aside(findings: Findings, signed: SignedCheckpoint, code: str, message: str) -> None:
    findings.add(
        CHECKPOINTS,
        code,
        signed.subject,
        message,
        severity=Severity.NOTICE,
        actual=signed.account,
    )
