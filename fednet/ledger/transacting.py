"""Act on a contract: encode the call, choose its gas, send it, tell why it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eth_account.signers.local import LocalAccount

from fednet.domain.disclosure_events import ReaderAdmitted
from fednet.domain.events import AccessRequested, DatasetRegistered, RunOpened, SiteApplied
from fednet.domain.identity import Address, Digest
from fednet.domain.ledger import Receipt
from fednet.errors import FundsError, LedgerError, RevertedError
from fednet.ledger import abi, codec
from fednet.ledger.fees import FeeCaps
from fednet.ledger.refusals import refusal, revert_data
from fednet.ledger.rpc import Json, JsonRpc, RpcRefusedError
from fednet.ledger.sending import Draft, Sender, funds_error, is_about_funds

_FIXED_GAS = {
    "submit": 300_000,
    "submitBatch": 600_000,
    "attestBatch": 600_000,
    "propose": 400_000,
    "attest": 400_000,
    "objectTo": 400_000,
    "advance": 400_000,
    "drop": 400_000,
    "draw": 300_000,
    "claim": 250_000,
    **dict.fromkeys(
        ("advertise", "closeKeys", "deal", "hold", "proposeSet", "affirmSet", "disclose"), 300_000
    ),
}
"""Gas of the acts in a round, which are flat in cost and frequent, or depend on the time of
a block that a chain which mines on demand has not made yet: an estimate would be made at the
time of the last block, and refuse."""
_GAS_OF_ACT = 800_000
"""Twice what any other act takes; it bounds, the chain charges what is used."""
_GAS_PER_BYTE = 40
_GAS_PER_BYTE_VERIFIED = 250
"""Of an attestation that somebody carries: a signature is recovered for each 101 bytes."""
_GAS_OF_TRANSFER = 21_000
_CREATED_BY = {
    SiteApplied: "site",
    DatasetRegistered: "dataset",
    AccessRequested: "grant",
    RunOpened: "run",
    ReaderAdmitted: "reader",
}


class Transactor:
    """Send calls of contract functions from one account."""

    def __init__(
        self, rpc: JsonRpc, account: LocalAccount, chain_id: int, caps: FeeCaps | None = None
    ) -> None:
        self._rpc = rpc
        self._address = Address(account.address)
        self._sender = Sender(rpc, account, chain_id, caps or FeeCaps())

    def act(
        self,
        contract: str,
        at: Address,
        function: str,
        arguments: Sequence[object],
        value_wei: int = 0,
    ) -> Receipt:
        """Call a function in a transaction and wait until it is mined.

        Raises:
            RevertedError: The contract refused, before or in its block.
            FundsError: The account cannot pay.
            LedgerUnavailableError: Nobody knows what came of it.
            LedgerError: An argument is out of range.
        """
        draft = self.draft(contract, at, function, arguments, value_wei)
        if function not in _FIXED_GAS:
            self._rehearse(draft)
        return read_receipt(self._sent(draft))

    def draft(
        self,
        contract: str,
        at: Address,
        function: str,
        arguments: Sequence[object],
        value_wei: int = 0,
    ) -> Draft:
        """Encode a call, with gas that is enough for it whatever the chain's state."""
        entry = abi.contract(contract).functions[function]
        data = entry.encode([codec.plain(each) for each in arguments])
        rate = _GAS_PER_BYTE_VERIFIED if function == "attestBatch" else _GAS_PER_BYTE
        gas = _FIXED_GAS.get(function, _GAS_OF_ACT) + rate * len(data)
        return Draft(function, at, data, value_wei, gas)

    def create(self, contract: str, arguments: Sequence[object]) -> tuple[Receipt, Address]:
        """Create a contract; return the receipt and where it stands."""
        compiled = abi.contract(contract)
        types = [each.abi_type for each in compiled.constructor]
        data = compiled.bytecode + abi.encode(types, arguments)
        draft = Draft(f"creation of {contract}", None, data, 0, 0)
        raw = self._sent(replace(draft, gas=self._estimate(draft)))
        return read_receipt(raw), codec.to_address(raw["contractAddress"])

    def transfer(self, to: Address, value_wei: int) -> Receipt:
        """Send wei to an account."""
        return read_receipt(self._sent(Draft("transfer", to, b"", value_wei, _GAS_OF_TRANSFER)))

    def require_success(self, draft: Draft, raw: Json) -> None:
        """Raise unless a mined transaction did what it was to do.

        Raises:
            RevertedError: The contract refused.
        """
        if int(raw["status"], 16) != 1:
            raise self._reason(draft, raw)

    def _sent(self, draft: Draft) -> Json:
        raw = self._sender.send(draft)
        self.require_success(draft, raw)
        return raw

    def _estimate(self, draft: Draft) -> int:
        request = draft.request(self._address)
        del request["gas"]
        try:
            return int(self._rpc.call("eth_estimateGas", request), 16) * 4 // 3
        except RpcRefusedError as exc:
            raise self.refused(draft, exc) from exc

    def _rehearse(self, draft: Draft) -> None:
        """Call without sending, so that a refusal costs nothing.

        Not by an estimate: Ganache never answers some of those that it is asked for
        while it makes a block.
        """
        try:
            self._rpc.call("eth_call", draft.request(self._address), "latest")
        except RpcRefusedError as exc:
            raise self.refused(draft, exc) from exc

    def _reason(self, draft: Draft, raw: Json) -> RevertedError:
        """Replay a failed call for its reason: at its own block, which has its time, or before."""
        block = int(raw["blockNumber"], 16)
        for number in (block, block - 1):
            try:
                self._rpc.call("eth_call", draft.request(self._address), hex(number))
            except RpcRefusedError as exc:
                data = revert_data(exc.data)
                if data is not None:
                    return refusal(data, draft.subject)
        if int(raw["gasUsed"], 16) >= draft.gas:
            return RevertedError("out of gas", error="OutOfGas", subject=draft.subject)
        return refusal(None, draft.subject)

    def refused(
        self, draft: Draft, exc: RpcRefusedError
    ) -> RevertedError | FundsError | LedgerError:
        """Translate what the chain says to a call or a transaction that it does not take."""
        if is_about_funds(exc):
            return funds_error(self._address, draft.subject)
        data = revert_data(exc.data)
        if data is not None or "revert" in exc.text.lower():
            return refusal(data, draft.subject)
        return LedgerError("the chain refuses the call", subject=draft.subject, actual=exc.text)


def read_receipt(raw: Json) -> Receipt:
    """Read what the chain says of a mined transaction."""
    return Receipt(
        transaction=Digest(raw["transactionHash"]),
        block=int(raw["blockNumber"], 16),
        gas_used=int(raw["gasUsed"], 16),
        created=_created(raw["logs"]),
    )


def _created(logs: Sequence[Json]) -> int:
    for raw in logs:
        event = codec.read_event(codec.read_log(raw))
        name = _CREATED_BY.get(type(event))
        if name is not None:
            return int(getattr(event, name))
    return 0
