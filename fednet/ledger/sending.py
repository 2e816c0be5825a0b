"""Bring transactions into blocks: nonces, lost and replaced transactions, receipts.

A transaction is repeated only under its own nonce, so it is executed once at
most. Knows nothing about what a transaction means.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from eth_account.signers.local import LocalAccount

from fednet.domain.identity import Address
from fednet.errors import FundsError, LedgerError, LedgerUnavailableError
from fednet.ledger.fees import FeeCaps, Fees, Offer
from fednet.ledger.refusals import refusal, revert_data
from fednet.ledger.rpc import Json, JsonRpc, RpcRefusedError

DEADLINE_SECONDS = 180.0
_FIRST_POLLS_SECONDS = (0.003, 0.003, 0.005, 0.005, 0.01, 0.01)
_POLL_SECONDS = 0.02
_SLOW_POLL_SECONDS = 0.25
_SLOW_AFTER_SECONDS = 3.0
_LOOK_AFTER_SECONDS = 2.0
"""When a transaction without a receipt is looked for in the chain's pool, again and again."""
_RAISE_AFTER_SECONDS = 45.0
_SENDING_ATTEMPTS = 6
_ASK_FIRST = "ask the ledger what came of it before trying again"


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction before it has a nonce and a price."""

    subject: str
    to: Address | None
    """None creates a contract."""
    data: bytes
    value_wei: int
    gas: int

    def request(self, sender: str) -> dict[str, str]:
        """Return it as JSON-RPC's calls take it."""
        fields = {
            "from": sender,
            "data": "0x" + self.data.hex(),
            "value": hex(self.value_wei),
            "gas": hex(self.gas),
        }
        return fields if self.to is None else fields | {"to": self.to}


@dataclass(slots=True)
class _Sent:
    draft: Draft
    nonce: int
    offer: Offer
    raw: str
    hashes: list[str]
    """Of every form that was sent under this nonce; at most one is ever mined."""


class _Fault(Enum):
    KNOWN_ALREADY = auto()
    NONCE_TAKEN = auto()
    PRICE_TOO_LOW = auto()
    FUNDS_TOO_LOW = auto()
    OTHER = auto()


_FAULT_WORDS = {
    _Fault.KNOWN_ALREADY: ("already known", "already imported", "known transaction",
                           "alreadyknown", "already exists"),
    _Fault.FUNDS_TOO_LOW: ("insufficient funds", "insufficientfunds", "insufficient balance",
                           "upfront cost exceeds", "exceeds account balance"),
    _Fault.NONCE_TAKEN: ("nonce too low", "correct nonce", "nonce is too low", "oldnonce",
                         "nonce below", "invalid nonce", "replacement transaction",
                         "can't be replaced"),
    _Fault.PRICE_TOO_LOW: ("underpriced", "less than block base fee", "fee too low",
                           "feetoolow", "gas price below", "price too low"),
}  # fmt: skip


class Sender:
    """Send an account's transactions, one nonce after the other.

    Safe to use from several threads, and beside another process with the same
    account: the chain's count of pending transactions decides.
    """

    def __init__(
        self,
        rpc: JsonRpc,
        account: LocalAccount,
        chain_id: int,
        caps: FeeCaps,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._rpc = rpc
        self._account = account
        self._chain_id = chain_id
        self._fees = Fees(rpc, caps)
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._outstanding: set[int] = set()
        """Nonces sent from here without a receipt yet; the chain may not count them so soon."""

    def send(self, draft: Draft) -> Json:
        """Send a transaction and return its receipt, whatever its status.

        Raises:
            FundsError: The account cannot pay.
            LedgerUnavailableError: It was not mined in time, or nobody knows.
            RevertedError: The chain refused to take what it knew to fail.
        """
        with self._lock:
            sent = self._transmit(draft)
            self._outstanding.add(sent.nonce)
        try:
            return self._receipt(sent)
        finally:
            with self._lock:
                self._outstanding.discard(sent.nonce)

    def _transmit(self, draft: Draft) -> _Sent:
        raises = 0
        for attempt in range(_SENDING_ATTEMPTS):
            sent = self._signed(draft, raises)
            fault = self._submit(sent)
            if fault is None or fault is _Fault.KNOWN_ALREADY:
                return sent
            if fault is _Fault.PRICE_TOO_LOW:
                self._fees.forget()
                raises += 1
            elif self._is_known(sent.hashes[-1]):
                return sent
            time.sleep(0.02 * attempt)
        raise LedgerUnavailableError(
            "the chain does not take the transaction", subject=draft.subject, hint=_ASK_FIRST
        )

    def _signed(self, draft: Draft, raises: int) -> _Sent:
        try:
            pending, head = self._rpc.batch(
                ("eth_getTransactionCount", self._account.address, "pending"),
                ("eth_getBlockByNumber", "latest", False),
            )
            offer = self._fees.offer(head)
        except RpcRefusedError as exc:
            raise LedgerError("the chain refuses", subject=draft.subject, actual=exc.text) from exc
        for _ in range(raises):
            offer = offer.raised(self._fees.caps)
        nonce = max([int(pending, 16), *(each + 1 for each in self._outstanding)])
        raw, transaction = self._sign(draft, nonce, offer)
        return _Sent(draft, nonce, offer, raw, [transaction])

    def _sign(self, draft: Draft, nonce: int, offer: Offer) -> tuple[str, str]:
        return sign_draft(draft, self._account, self._chain_id, nonce, offer)

    def _submit(self, sent: _Sent) -> _Fault | None:
        try:
            self._rpc.call("eth_sendRawTransaction", sent.raw, again=False)
        except LedgerUnavailableError:
            # It may have arrived all the same; sending it again blindly might execute it twice.
            if self._is_known(sent.hashes[-1]):
                return None
            raise
        except RpcRefusedError as exc:
            return self._fault(sent.draft, exc)
        return None

    def _fault(self, draft: Draft, exc: RpcRefusedError) -> _Fault:
        fault = _classify(exc)
        if fault is _Fault.FUNDS_TOO_LOW:
            raise funds_error(self._account.address, draft.subject) from exc
        if fault is _Fault.OTHER:
            data = revert_data(exc.data)
            if data is not None or "revert" in exc.text.lower():
                raise refusal(data, draft.subject) from exc
            raise LedgerError(
                "the chain refuses the transaction", subject=draft.subject, actual=exc.text
            ) from exc
        return fault

    def _receipt(self, sent: _Sent) -> Json:
        began = time.monotonic()
        looked, raised = began, began
        for pause in _pauses():
            for transaction in sent.hashes:
                receipt = self._ask("eth_getTransactionReceipt", transaction)
                if receipt is not None and receipt.get("blockNumber") is not None:
                    return receipt
            now = time.monotonic()
            if now - began > self._deadline_seconds:
                break
            if now - raised > _RAISE_AFTER_SECONDS:
                self._raise_price(sent)
                raised = now
            elif now - looked > _LOOK_AFTER_SECONDS:
                self._look_after(sent)
                looked = now
            time.sleep(pause)
        raise LedgerUnavailableError(
            "the transaction was not mined in time",
            subject=sent.draft.subject,
            expected=f"within {self._deadline_seconds:g} s",
            actual=sent.hashes[-1],
            hint=_ASK_FIRST,
        )

    def _look_after(self, sent: _Sent) -> None:
        """Send again what the pool dropped; give up what another took the place of."""
        taken = int(self._ask("eth_getTransactionCount", self._account.address, "latest"), 16)
        if taken > sent.nonce:
            mined = [self._ask("eth_getTransactionReceipt", each) for each in sent.hashes]
            if not any(mined):
                raise LedgerUnavailableError(
                    "another transaction took the place of this one",
                    subject=sent.draft.subject,
                    actual=sent.hashes[-1],
                    hint=_ASK_FIRST,
                )
        elif not any(self._is_known(each) for each in sent.hashes):
            self._submit(sent)

    def _raise_price(self, sent: _Sent) -> None:
        offer = sent.offer.raised(self._fees.caps)
        if offer == sent.offer:
            return
        raw, transaction = self._sign(sent.draft, sent.nonce, offer)
        former = sent.hashes
        sent.offer, sent.raw, sent.hashes = offer, raw, [*former, transaction]
        if self._submit(sent) is not None:
            sent.hashes = former

    def _is_known(self, transaction: str) -> bool:
        return self._ask("eth_getTransactionByHash", transaction) is not None

    def _ask(self, method: str, *params: object) -> Json:
        try:
            return self._rpc.call(method, *params)
        except RpcRefusedError as exc:
            raise refused_question(exc) from exc


def sign_draft(
    draft: Draft, account: LocalAccount, chain_id: int, nonce: int, offer: Offer
) -> tuple[str, str]:
    """Return a transaction's signed bytes and its hash, as hexadecimal text."""
    fields: dict[str, Any] = {
        "chainId": chain_id,
        "nonce": nonce,
        "value": draft.value_wei,
        "data": draft.data,
        "gas": draft.gas,
        **({} if draft.to is None else {"to": draft.to}),
        **offer.fields(),
    }
    signed = account.sign_transaction(fields)
    return signed.raw_transaction.to_0x_hex(), signed.hash.to_0x_hex()


def refused_question(exc: RpcRefusedError) -> LedgerError:
    """Say that the chain does not answer a question it is asked for sending."""
    return LedgerError("the chain refuses", subject=exc.method, actual=exc.text)


def funds_error(account: str, subject: str) -> FundsError:
    """Say that an account cannot pay."""
    return FundsError(
        "the account cannot pay for the transaction",
        subject=subject,
        actual=account,
        hint="have the operator or the chain's keeper send it some gas money",
    )


def is_about_funds(exc: RpcRefusedError) -> bool:
    """Tell whether the chain refused for lack of funds."""
    return _classify(exc) is _Fault.FUNDS_TOO_LOW


def _classify(exc: RpcRefusedError) -> _Fault:
    text = exc.text.lower()
    for fault, words in _FAULT_WORDS.items():
        if any(word in text for word in words):
            return fault
    return _Fault.OTHER


def _pauses() -> Iterator[float]:
    began = time.monotonic()
    yield from _FIRST_POLLS_SECONDS
    while True:
        slow = time.monotonic() - began > _SLOW_AFTER_SECONDS
        yield _SLOW_POLL_SECONDS if slow else _POLL_SECONDS
