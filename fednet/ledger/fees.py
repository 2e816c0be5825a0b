"""What a transaction offers for gas, within caps.

Fits chains with a base fee (EIP-1559), without one, and with no fees at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from fednet.errors import LedgerUnavailableError
from fednet.ledger.rpc import Json, JsonRpc, RpcRefusedError

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class FeeCaps:
    """How much gas may cost at most, in wei for each unit of gas."""

    total_wei: int = 500 * GWEI
    tip_wei: int = 3 * GWEI


@dataclass(frozen=True, slots=True)
class Offer:
    """What one transaction offers, in wei for each unit of gas."""

    tip_wei: int
    maximum_wei: int
    base_fee: bool
    """Whether the chain has a base fee."""

    def fields(self) -> dict[str, int]:
        """Return the transaction's fields."""
        if self.base_fee:
            return {
                "type": 2,
                "maxFeePerGas": self.maximum_wei,
                "maxPriorityFeePerGas": self.tip_wei,
            }
        return {"gasPrice": self.maximum_wei}

    def raised(self, caps: FeeCaps) -> Offer:
        """Offer a quarter more, so that a pool takes it in place of the former one."""
        maximum = min(self.maximum_wei * 5 // 4 + 1, caps.total_wei)
        return Offer(min(self.tip_wei * 5 // 4 + 1, maximum), maximum, self.base_fee)


class Fees:
    """Make offers from what the chain says of its fees."""

    def __init__(self, rpc: JsonRpc, caps: FeeCaps) -> None:
        self.caps = caps
        self._rpc = rpc
        self._tip_wei: int | None = None

    def offer(self, head: Json) -> Offer:
        """Offer enough for the next blocks, seen from the head.

        Raises:
            LedgerUnavailableError: Gas costs more than the cap now.
        """
        base = head.get("baseFeePerGas")
        if base is None:
            price = int(self._rpc.call("eth_gasPrice"), 16)
            self._require(price)
            return Offer(price, price, base_fee=False)
        if self._tip_wei is None:
            self._tip_wei = min(self._suggested_tip(), self.caps.tip_wei)
        least = int(base, 16) + self._tip_wei
        self._require(least)
        # Twice the base fee holds for six full blocks in a row.
        maximum = min(2 * int(base, 16) + self._tip_wei, self.caps.total_wei)
        return Offer(self._tip_wei, maximum, base_fee=True)

    def forget(self) -> None:
        """Ask the chain for its tip again at the next offer."""
        self._tip_wei = None

    def _suggested_tip(self) -> int:
        try:
            return int(self._rpc.call("eth_maxPriorityFeePerGas"), 16)
        except RpcRefusedError:
            return 0

    def _require(self, price_wei: int) -> None:
        if price_wei > self.caps.total_wei:
            raise LedgerUnavailableError(
                "gas costs more than the cap",
                subject=self._rpc.subject,
                expected=f"at most {self.caps.total_wei} wei",
                actual=f"{price_wei} wei",
                hint="wait until the chain is less busy",
            )
