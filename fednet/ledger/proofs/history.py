"""Put together what blocks prove of a run, and compare it with what a node said.

Which blocks can hold a log is read from the headers' bloom filters, which the
block hash covers: a block whose filter rules out our contracts holds none of
their logs, and of every other block all receipts are hashed. So a log cannot be
left out either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fednet.domain.events import LedgerEvent, Log
from fednet.domain.identity import Address, Digest
from fednet.domain.ledger import Deployment, Head
from fednet.domain.proofs import LedgerClaims, LedgerProblem, LogProof
from fednet.errors import LedgerError, MalformedBlobError, VerificationError
from fednet.ledger import codec
from fednet.ledger.proofs.collect import BlockReceipts, ProofSource, Unprovable
from fednet.ledger.proofs.headers import Header, bloom_mask, find_break
from fednet.ledger.proofs.receipts import logs_of, receipts_root
from fednet.ledger.proofs.storage import (
    RECORDS_HASH_SLOT,
    prove_account,
    prove_slot,
    running_hash_in,
    running_hash_slot,
    settlement_slot,
)

NEAR_GENESIS_BLOCKS = 4_096
"""A deployment this close to the first block is proven from the first block on."""
_RUNNING_HASH = "running hash"
_DISCLOSURES_HASH = "running hash of disclosures"
_MASKING_HASH = "running hash of masked rounds"
_HASHES = (_RUNNING_HASH, _DISCLOSURES_HASH, _MASKING_HASH)
_RUN_TOPIC = 1


def first_block(deployment: Deployment) -> int:
    """Name the block from which headers are chained."""
    return 0 if deployment.block <= NEAR_GENESIS_BLOCKS else deployment.block


def prove_claims(
    source: ProofSource, deployment: Deployment, claims: LedgerClaims, limit_blocks: int
) -> LogProof:
    """Compare what a node said of a run with what headers, receipts and storage prove.

    Args:
        source: Where the evidence comes from.
        deployment: Contracts whose logs matter.
        claims: What was said.
        limit_blocks: Give up proving on a longer chain.

    Raises:
        LedgerError: The source does not answer.
    """
    first, last = first_block(deployment), claims.head.number
    if last - first >= limit_blocks:
        reason = f"more than {limit_blocks} blocks since the deployment"
        return LogProof(False, reason, skipped=True)
    try:
        headers = source.headers(first, last)
        problems = check_headers(headers, deployment, claims.head.block_hash)
        problems += compare_headers(headers, claims.blocks)
        addresses = log_addresses(deployment, claims.module)
        wanted = blocks_with_logs(headers, addresses)
        receipts = source.receipts(wanted)
    except Unprovable as exc:
        return LogProof(False, str(exc))
    except VerificationError as exc:
        altered = LedgerProblem("header-altered", exc.subject, exc.message)
        return LogProof(False, problems=(altered,))
    problems += check_receipts(headers, receipts, wanted)
    proven = [log for number in sorted(receipts) for log in read_logs(number, receipts[number])]
    problems += compare_logs(
        [log for log in proven if log.contract in addresses and _is_asked_for(log, claims)],
        [event.log for event in claims.events if event.log.block <= last],
    )
    stored, wrong = _check_storage(source, deployment, claims, headers[-1].state_root)
    return LogProof(
        proven=not problems and not wrong,
        problems=tuple(problems + wrong),
        first_block=first,
        last_block=last,
        receipts=sum(len(each.receipts) for each in receipts.values()),
        stored=tuple(stored),
    )


def log_addresses(deployment: Deployment, module: Address) -> list[Address]:
    """List the contracts whose logs tell of a run."""
    return list(dict.fromkeys((*deployment.contracts().values(), module)))


def blocks_with_logs(headers: Sequence[Header], addresses: Iterable[Address]) -> list[int]:
    """List the blocks that may hold a log of some contracts, by their bloom filters."""
    masks = [bloom_mask(address) for address in addresses]
    return [header.number for header in headers if header.bloom and header.may_log(masks)]


def check_headers(
    headers: Sequence[Header], deployment: Deployment, head_hash: Digest
) -> list[LedgerProblem]:
    """Check that headers follow one another, up to a known head and from the known first block."""
    problems = []
    broken = find_break(headers)
    if broken is not None:
        before = headers[headers.index(broken) - 1]
        problems.append(
            LedgerProblem(
                "header-altered",
                f"block {before.number} or {broken.number}",
                "the headers do not follow one another",
                expected=str(broken.parent),
                actual=str(before.block_hash),
            )
        )
    ends = [(headers[-1], head_hash, "the last header is not the head that was named")]
    if headers[0].number == 0:
        genesis = deployment.genesis_hash
        ends.append((headers[0], genesis, "the first header is not the deployment's first block"))
    for header, wanted, message in ends:
        if header.block_hash != wanted:
            problems.append(
                LedgerProblem(
                    "header-altered",
                    f"block {header.number}",
                    message,
                    expected=str(wanted),
                    actual=str(header.block_hash),
                )
            )
    return problems


def compare_headers(headers: Sequence[Header], said: Mapping[int, Head]) -> list[LedgerProblem]:
    """Name every block of which a node gave another hash or time."""
    real = {header.number: (header.block_hash, header.timestamp) for header in headers}
    problems = []
    for number, head in sorted(said.items()):
        expected, actual = real.get(number), (head.block_hash, head.timestamp)
        if expected is not None and expected != actual:
            problems.append(
                LedgerProblem(
                    "header-altered",
                    f"block {number}",
                    "the node gave another hash or time than its header",
                    expected=f"{expected[0]} at {expected[1]}",
                    actual=f"{actual[0]} at {actual[1]}",
                )
            )
    return problems


def check_receipts(
    headers: Sequence[Header], receipts: Mapping[int, BlockReceipts], wanted: Sequence[int]
) -> list[LedgerProblem]:
    """Check that the receipts of every wanted block are there and hash to its header's root."""
    roots = {header.number: header.receipts_root for header in headers}
    problems = []
    for number in wanted:
        found = receipts.get(number)
        if found is None:
            problems.append(
                LedgerProblem(
                    "receipts-missing",
                    f"block {number}",
                    "its header says that it may hold events, and its receipts are not there",
                    expected=str(roots[number]),
                )
            )
        elif (actual := receipts_root(found.receipts)) != roots[number]:
            problems.append(
                LedgerProblem(
                    "receipts-altered",
                    f"block {number}",
                    "its receipts do not hash to the root in its header",
                    expected=str(roots[number]),
                    actual=str(actual),
                )
            )
    return problems


def read_logs(number: int, found: BlockReceipts) -> list[Log]:
    """Read every log from the receipts of one block.

    Raises:
        LedgerError: The receipts cannot be read.
    """
    try:
        return list(logs_of(number, found.receipts, found.transactions))
    except (MalformedBlobError, ValueError) as exc:
        raise LedgerError(
            "the receipts cannot be read", subject=f"block {number}", actual=str(exc)[:200]
        ) from exc


def compare_logs(proven: Sequence[Log], said: Sequence[Log]) -> list[LedgerProblem]:
    """Name every log that was dropped, invented or altered."""
    real = {(log.block, log.index): log for log in proven}
    heard = {(log.block, log.index): log for log in said}
    problems = []
    for place in sorted(real.keys() | heard.keys()):
        expected, actual = real.get(place), heard.get(place)
        if expected == actual:
            continue
        code, message = "log-altered", "the node gave it otherwise than the block's receipts"
        if actual is None:
            code, message = "log-dropped", "the block's receipts hold it, and the node left it out"
        elif expected is None:
            code, message = "log-invented", "the node gave it, and the block's receipts do not"
        known = expected or actual
        assert known is not None
        problems.append(
            LedgerProblem(
                code,
                f"{_name(known)}, log {place[1]} of block {place[0]}",
                message,
                expected=_text(expected),
                actual=_text(actual),
            )
        )
    return problems


def _is_asked_for(log: Log, claims: LedgerClaims) -> bool:
    if log.contract == claims.module:
        return len(log.topics) > _RUN_TOPIC and int.from_bytes(log.topics[_RUN_TOPIC]) == claims.run
    event = codec.event_class(log)
    return event is not None and issubclass(event, tuple(claims.kinds))


def _check_storage(
    source: ProofSource, deployment: Deployment, claims: LedgerClaims, state_root: Digest
) -> tuple[list[str], list[LedgerProblem]]:
    """Prove code, running hashes and settlements, if the source can and the layout is known."""
    said: list[tuple[str, Digest | None, Digest]] = []
    try:
        for name, address in deployment.contracts().items():
            slots = claimed_slots(deployment, claims).get(address, {})
            proof = source.storage(address, list(slots), claims.head.number)
            subject = f"{name} at {address}"
            account = prove_account(state_root, address, proof.account, subject)
            if account is None:
                raise VerificationError("the state holds no such contract", subject=subject)
            code = dict(deployment.code_hashes).get(name)
            said.append((f"code of {name}", code, account.code_hash))
            for slot, (what, value) in slots.items():
                actual = prove_slot(account.storage_root, slot, proof.slots[slot], subject)
                found = running_hash_in(actual) if what in _HASHES else actual
                said.append((what, value, found))
    except Unprovable:
        return [], []
    except VerificationError as exc:
        problem = LedgerProblem(
            "storage-altered", exc.subject, exc.message, str(exc.expected), str(exc.actual)
        )
        return [], [problem]
    problems = [
        LedgerProblem(
            "storage-differs",
            f"{name}, run {claims.run}",
            "the contract's storage proves another value than the node gave",
            expected=str(actual),
            actual=str(heard),
        )
        for name, heard, actual in said
        if heard != actual
    ]
    return [name for name, heard, actual in said if heard == actual], problems


def claimed_slots(
    deployment: Deployment, claims: LedgerClaims
) -> dict[Address, dict[int, tuple[str, Digest]]]:
    """Name the slots that hold what was claimed, by contract."""
    slots = {running_hash_slot(claims.run): (_RUNNING_HASH, claims.running_hash)}
    for number, settled in claims.settlements.items():
        slots[settlement_slot(claims.run, number)] = (f"settlement of round {number}", settled)
    return {
        deployment.disclosures: {RECORDS_HASH_SLOT: (_DISCLOSURES_HASH, claims.disclosures)},
        deployment.masking: {RECORDS_HASH_SLOT: (_MASKING_HASH, claims.masking)},
        claims.module: slots,
    }


def _name(log: Log) -> str:
    kind: type[LedgerEvent] | None = codec.event_class(log)
    return kind.__name__ if kind else "event"


def _text(log: Log | None) -> str:
    if log is None:
        return "nothing"
    return f"{log.contract} {b''.join(log.topics).hex()[:128]} {log.data.hex()[:128]}"
