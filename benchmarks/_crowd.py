"""Many sites on a chain, made through the same acts that real ones send, only many in a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.contracts.chain import AGGREGATOR, SITE, Anvil, digest
from tests.contracts.world import DAY, Party, World, key_of

ALLOWANCE_WEI = 10**18
GAS_OF_AN_ACT = 1_000_000


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    act: str
    gas: int
    limit: int | None = None

    @property
    def holds(self) -> bool:
        """Tell whether the act stays within its limit, if it has one."""
        return self.limit is None or self.gas <= self.limit


def gas_of(receipt: dict[str, Any]) -> int:
    """Read what a transaction used."""
    return int(receipt["gasUsed"], 16)


class Crowd(World):
    """A consortium of as many sites as asked for, made in batches."""

    def __init__(self, chain: Anvil, sites: int, module: str = "PlainRounds") -> None:
        super().__init__(chain, sites=0, module=module)
        chain.rpc("anvil_autoImpersonateAccount", True)
        self.admissions = self._admit(sites)
        datasets = self.registers(self.parties)
        assert len(datasets) == sites

    def _admit(self, sites: int) -> list[int]:
        acts = self.registry.functions
        applications = [self.application(f"hospital {i}") for i in range(sites)]
        self.batch([(self.outsider, acts.applyFor(*each), 0) for each in applications])
        self.parties = [Party(i + 1, str(key_of(f"hospital {i}").address)) for i in range(sites)]
        roles = SITE | AGGREGATOR
        return self.batch(
            [(self.operator, acts.admit(each.site, roles), ALLOWANCE_WEI) for each in self.parties]
        )

    def registers(self, parties: Sequence[Party]) -> list[int]:
        """Register a dataset for each site; its id is the site's."""
        act = self.access.functions.registerDataset
        return self.batch(
            [(each.account, act(each.site, digest("d"), digest("s"), 500), 0) for each in parties]
        )

    def run_of(
        self, sites: int, rounds: int, committee: int = 0, target: int = 0, stragglers: int = 0
    ) -> int:
        """Open a run in which the first sites consent; submissions may begin at once."""
        run = self.open(
            committee=committee,
            rounds=rounds,
            minimumSites=sites,
            targetSites=sites,
            maximumSites=sites,
            minimumUpdates=2,
            collectSeconds=DAY,
            attestSeconds=DAY,
            targetUpdates=target,
            stragglerPercent=stragglers,
        )
        parties, first = self.parties[:sites], self.access.functions.accessCount().call() + 1
        access, expiry = self.access.functions, self.chain.now + 30 * DAY
        self.batch(
            [
                (self.researcher, access.requestAccess(each.site, digest("p"), digest("l")), 0)
                for each in parties
            ]
        )
        self.batch(
            [
                (each.account, access.grantAccess(first + i, digest("t"), digest("l"), expiry), 0)
                for i, each in enumerate(parties)
            ]
        )
        consent = self.rounds.functions.consent
        self.batch(
            [
                (each.account, consent(run, each.site, first + i), 0)
                for i, each in enumerate(parties)
            ]
        )
        return run

    def batch(self, acts: Sequence[tuple[str, Any, int]]) -> list[int]:
        """Do acts in order in one block; give the gas of each."""
        nonces: dict[str, int] = {}
        hashes: list[str] = []
        self.chain.rpc("evm_setAutomine", False)
        for account, act, value in acts:
            if account not in nonces:
                count = self.chain.rpc("eth_getTransactionCount", account, "latest")
                nonces[account] = int(count, 16)
            transaction = {
                "from": account,
                "to": act.address,
                "data": act._encode_transaction_data(),
                "gas": hex(GAS_OF_AN_ACT),
                "value": hex(value),
                "nonce": hex(nonces[account]),
            }
            nonces[account] += 1
            hashes.append(self.chain.rpc("eth_sendTransaction", transaction))
        self.chain.rpc("evm_mine")
        self.chain.rpc("evm_setAutomine", True)
        receipts = [self.chain.receipt_of(each) for each in hashes]
        failed = [each for each in receipts if int(each["status"], 16) != 1]
        if failed:
            raise RuntimeError(f"{len(failed)} acts of {len(acts)} failed")
        return [gas_of(each) for each in receipts]
