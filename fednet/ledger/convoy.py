"""Bring many acts of many accounts onto the chain at once, instead of one after the other.

For a rehearsal, whose accounts are all in this process. Acts of one account come
into blocks in the order in which they were made; those of several in any order, as a
chain may take the calls of one request side by side, unless they are sent in order.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from eth_account.signers.local import LocalAccount

from fednet.domain.identity import Address, Digest
from fednet.domain.ledger import Receipt
from fednet.errors import LedgerUnavailableError
from fednet.ledger.fees import FeeCaps, Fees
from fednet.ledger.reader import Web3Reader
from fednet.ledger.rpc import Json, JsonRpc, RpcRefusedError
from fednet.ledger.sending import DEADLINE_SECONDS, Draft, refused_question, sign_draft
from fednet.ledger.transacting import Transactor, read_receipt
from fednet.ledger.writer import Web3Writer

NOT_SENT = Receipt(Digest(bytes(32)), 0, 0, 0)
"""What an act gives that waits to be sent."""
_AT_ONCE = 250
_PAUSE_SECONDS = 0.01
_STALLED_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Waiting:
    account: LocalAccount
    transactor: Transactor
    draft: Draft


class Convoy:
    """Take what writers would send, and send all of it together.

    Args:
        reader: Connection whose chain has been checked.
        caps: How much gas may cost.
    """

    def __init__(self, reader: Web3Reader, caps: FeeCaps | None = None) -> None:
        self._rpc: JsonRpc = reader.rpc
        self._chain_id = reader.deployment.chain_id
        self._fees = Fees(reader.rpc, caps or FeeCaps())
        self._waiting: list[_Waiting] = []

    def aboard(self, writer: Web3Writer) -> Web3Writer:
        """Return a writer of the same account whose acts wait for `send`, and give `NOT_SENT`."""
        twin = copy.copy(writer)
        twin.use(_Seat(self._rpc, writer.account, self._chain_id, self._waiting))
        return twin

    def send(self, *, in_order: bool = False) -> list[Receipt]:
        """Send what waits, and return the receipts in the order of the acts.

        Args:
            in_order: Whether acts of several accounts have to come onto the chain in the order in
                which they were made: each is handed over before the next, which takes longer.

        Raises:
            RevertedError: A contract refused an act; the first one that failed.
            LedgerUnavailableError: Not all were mined in time.
            LedgerError: The chain does not take a transaction.
        """
        waiting, self._waiting[:] = list(self._waiting), []
        receipts = []
        for start in range(0, len(waiting), _AT_ONCE):
            part = waiting[start : start + _AT_ONCE]
            raws, transactions = self._sign(part)
            if in_order:
                self._submit_in_order(part, raws)
            else:
                self._submit(part, raws)
            for item, raw in zip(part, self._receipts(transactions), strict=True):
                item.transactor.require_success(item.draft, raw)
                receipts.append(read_receipt(raw))
        return receipts

    def _sign(self, waiting: Sequence[_Waiting]) -> tuple[list[str], list[str]]:
        """Sign each under the next nonce of its account."""
        accounts = list(dict.fromkeys(item.account.address for item in waiting))
        counts = [("eth_getTransactionCount", account, "pending") for account in accounts]
        head, *pending = self._ask(("eth_getBlockByNumber", "latest", False), *counts)
        offer = self._fees.offer(head)
        nonces = dict(zip(accounts, (int(count, 16) for count in pending), strict=True))
        raws, hashes = [], []
        for item in waiting:
            nonce = nonces[item.account.address]
            nonces[item.account.address] += 1
            raw, name = sign_draft(item.draft, item.account, self._chain_id, nonce, offer)
            raws.append(raw)
            hashes.append(name)
        return raws, hashes

    def _submit(self, waiting: Sequence[_Waiting], raws: Sequence[str]) -> None:
        """Send each account's first transaction last: it lets all that follow it in at once.

        A chain that mines on demand may otherwise lose track of what comes while it mines.
        """
        firsts = {item.account.address: at for at, item in reversed(list(enumerate(waiting)))}
        opening = sorted(firsts.values())
        following = [at for at in range(len(raws)) if at not in set(opening)]
        try:
            for part in (following, opening):
                if part:
                    calls = (("eth_sendRawTransaction", raws[at]) for at in part)
                    self._rpc.batch(*calls, again=False)
        except RpcRefusedError as exc:
            first = waiting[0]
            subject = f"one of {len(waiting)} acts, from {first.draft.subject} on"
            raise first.transactor.refused(replace(first.draft, subject=subject), exc) from exc

    def _submit_in_order(self, waiting: Sequence[_Waiting], raws: Sequence[str]) -> None:
        for item, raw in zip(waiting, raws, strict=True):
            try:
                self._rpc.call("eth_sendRawTransaction", raw, again=False)
            except RpcRefusedError as exc:
                raise item.transactor.refused(item.draft, exc) from exc

    def _receipts(self, transactions: Sequence[str]) -> list[Json]:
        found: dict[str, Json] = {}
        moved = time.monotonic()
        deadline = moved + DEADLINE_SECONDS
        while missing := [name for name in transactions if name not in found]:
            wanted = missing[:_AT_ONCE]
            answers = self._ask(*(("eth_getTransactionReceipt", name) for name in wanted))
            known = {
                name: raw
                for name, raw in zip(wanted, answers, strict=True)
                if raw is not None and raw.get("blockNumber") is not None
            }
            found |= known
            if known:
                moved = time.monotonic()
                continue
            if time.monotonic() > deadline:
                raise LedgerUnavailableError(
                    "transactions were not mined in time",
                    subject=f"{len(missing)} of {len(transactions)}",
                    expected=f"within {DEADLINE_SECONDS:g} s",
                )
            if time.monotonic() - moved > _STALLED_SECONDS:
                self._ask_for_a_block()
                moved = time.monotonic()
            time.sleep(_PAUSE_SECONDS)
        return [found[name] for name in transactions]

    def _ask_for_a_block(self) -> None:
        """Have a chain that mines on demand go on: Anvil leaves what a full block left over."""
        with suppress(RpcRefusedError):  # a chain that mines by itself knows no such call
            self._rpc.call("evm_mine")

    def _ask(self, *calls: tuple[Json, ...]) -> list[Json]:
        try:
            return self._rpc.batch(*calls)
        except RpcRefusedError as exc:
            raise refused_question(exc) from exc


class _Seat(Transactor):
    """Put what an account would send with what else waits."""

    def __init__(
        self, rpc: JsonRpc, account: LocalAccount, chain_id: int, waiting: list[_Waiting]
    ) -> None:
        super().__init__(rpc, account, chain_id)
        self._account = account
        self._queue = waiting

    def act(
        self,
        contract: str,
        at: Address,
        function: str,
        arguments: Sequence[object],
        value_wei: int = 0,
    ) -> Receipt:
        draft = self.draft(contract, at, function, arguments, value_wei)
        self._queue.append(_Waiting(self._account, self, draft))
        return NOT_SENT
