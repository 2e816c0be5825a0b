"""A consortium on the chain: hospitals with data, a researcher, and runs they take part in.

Everything is made by the acts that real parties send; only texts, models and
updates are stand-ins, since the contracts see their commitments alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi import encode as abi_encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from tests.contracts.chain import AGGREGATOR, RESEARCHER, SITE, Anvil, Contracts, digest

DAY = 86_400
PARAMETERS: dict[str, int] = {
    "rounds": 2,
    "consentSeconds": 1_000,
    "collectSeconds": 1_000,
    "revealSeconds": 100,
    "graceSeconds": 50,
    "proposeSeconds": 500,
    "attestSeconds": 500,
    "maxProposals": 2,
    "maxAttempts": 2,
    "quorumBasisPoints": 5_000,
    "minimumSites": 2,
    "targetSites": 3,
    "maximumSites": 6,
    "minimumUpdates": 2,
    "targetUpdates": 0,
    "stragglerPercent": 0,
    "maximumExamples": 1_000,
    "creditsPerRound": 1_000,
}
MASKING_TIMES = (200, 200, 200, 100)
"""Seconds of the key, share and holding stage, and of a set."""
_WIDTHS = (32,) * 7 + (8, 8) + (16,) * 7 + (64, 64)
_APPLICATION_TYPES = {
    "Application": [
        {"name": "account", "type": "address"},
        {"name": "name", "type": "string"},
        {"name": "metadata", "type": "bytes32"},
        {"name": "encryptionKey", "type": "bytes32"},
        {"name": "storeAddress", "type": "string"},
        {"name": "deadline", "type": "uint256"},
    ]
}


def encode_parameters(**changes: int) -> bytes:
    """Encode a plan's parameters as the module reads them."""
    values = PARAMETERS | changes
    assert len(values) == len(_WIDTHS), f"unknown parameter in {changes}"
    return abi_encode([f"uint{width}" for width in _WIDTHS], list(values.values()))


def key_of(name: str) -> Any:
    """Make the key of a named party; the same at every call."""
    return Account.from_key(digest("key", name))


def leaf_hash(chain_id: int, contract: str, run: int, site: int, earned: int) -> bytes:
    """Hash a leaf of the credits tree."""
    types = ["uint256", "address", "uint64", "uint32", "uint64"]
    return keccak(keccak(abi_encode(types, [chain_id, contract, run, site, earned])))


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Fold leaves in sorted pairs; an odd one goes up as it is."""
    level = list(leaves)
    while len(level) > 1:
        level = [_fold(level[i : i + 2]) for i in range(0, len(level), 2)]
    return level[0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Give the siblings on the way from a leaf to the root."""
    level, proof = list(leaves), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level = [_fold(level[i : i + 2]) for i in range(0, len(level), 2)]
        index //= 2
    return proof


def _fold(pair: Sequence[bytes]) -> bytes:
    return pair[0] if len(pair) == 1 else keccak(b"".join(sorted(pair)))


@dataclass
class Party:
    """A site and the account of its node."""

    site: int
    account: str
    grants: dict[int, int] = field(default_factory=dict)


class World(Contracts):
    """Contracts with an approved module, a researcher and as many hospitals as asked for."""

    def __init__(self, chain: Anvil, sites: int, module: str = "PlainRounds") -> None:
        super().__init__(chain, module)
        self.researcher = chain.accounts[1]
        self.outsider = chain.accounts[2]
        self.send(
            self.operator, self.registry.functions.setAccountRoles(0, self.researcher, RESEARCHER)
        )
        self.send(self.operator, self.runs.functions.approveModule(self.rounds.address))
        self.parties = [self.join(f"hospital {i}") for i in range(sites)]

    def application(self, institution: str, **changes: Any) -> tuple[tuple[Any, ...], bytes]:
        """Make a signed application: its fields in the contract's order, and the signature."""
        key = key_of(institution)
        values = {
            "account": key.address,
            "name": institution,
            "metadata": digest("metadata", institution),
            "encryptionKey": digest("encryption", institution),
            "storeAddress": f"/dns4/{institution.replace(' ', '-')}/tcp/4001",
            "deadline": self.chain.now + DAY,
        } | changes
        domain = {
            "name": "fednet SiteRegistry",
            "version": "1",
            "chainId": self.chain.w3.eth.chain_id,
            "verifyingContract": self.registry.address,
        }
        message = encode_typed_data(domain, _APPLICATION_TYPES, values)
        return tuple(values.values()), bytes(key.sign_message(message).signature)

    def apply(self, name: str) -> int:
        """Carry an institution's application to the register; give its site id."""
        application, signature = self.application(name)
        self.send(self.outsider, self.registry.functions.applyFor(application, signature))
        return int(self.registry.functions.siteCount().call())

    def join(self, name: str, examples: int = 500) -> Party:
        """Apply, be admitted with gas, and register a dataset."""
        site = self.apply(name)
        account = str(key_of(name).address)
        self.chain.rpc("anvil_impersonateAccount", account)
        self.send(
            self.operator, self.registry.functions.admit(site, SITE | AGGREGATOR), value=10**20
        )
        party = Party(site, account)
        self.register(party, examples)
        return party

    def register(self, party: Party, examples: int) -> int:
        """Register a dataset of a site; give its id."""
        self.send(
            party.account,
            self.access.functions.registerDataset(
                party.site, digest("description", party.site), digest("data", party.site), examples
            ),
        )
        return int(self.access.functions.datasetCount().call())

    def grant(self, party: Party, dataset: int | None = None, seconds: int = DAY) -> int:
        """Request access to a site's dataset and have it granted; give the grant."""
        chosen = self.dataset_of(party) if dataset is None else dataset
        self.send(
            self.researcher,
            self.access.functions.requestAccess(
                chosen, digest("purpose"), digest("purpose locator")
            ),
        )
        grant = int(self.access.functions.accessCount().call())
        self.send(
            party.account,
            self.access.functions.grantAccess(
                grant, digest("terms"), digest("terms locator"), self.chain.now + seconds
            ),
        )
        return grant

    def dataset_of(self, party: Party) -> int:
        """Find a site's first dataset."""
        count = int(self.access.functions.datasetCount().call())
        return next(
            each
            for each in range(1, count + 1)
            if self.access.functions.datasetOf(each).call()[0] == party.site
        )

    def open(
        self,
        transferable: bool = False,
        committee: int = 0,
        sampled: int = 0,
        times: Sequence[int] = MASKING_TIMES,
        **changes: int,
    ) -> int:
        """Open a run with the usual parameters; give its id.

        Args:
            transferable: Whether sites may give credits away.
            committee: Sites that vote before finality, for the batched module; 0 for all.
            sampled: Sites drawn for each attempt, for the sampled module; 0 for all.
            times: Seconds of the key, share and holding stage and of a set, for the masked module.
            changes: Parameters that are not the usual ones.
        """
        parameters = encode_parameters(**changes)
        if self.module == "BatchedRounds":
            parameters += abi_encode(["uint16"], [committee])
        if self.module == "MaskedRounds":
            parameters += abi_encode(["uint32"] * len(times), times)
        if self.module == "SampledRounds":
            most = (PARAMETERS | changes)["maximumSites"]
            parameters += abi_encode(["uint16"], [sampled or most])
        self.send(
            self.researcher,
            self.runs.functions.open(
                self.rounds.address,
                digest("plan"),
                digest("plan locator"),
                digest("model"),
                digest("model locator"),
                transferable,
                parameters,
            ),
        )
        return int(self.runs.functions.runCount().call())

    def consent(self, run: int, party: Party, seconds: int = DAY) -> dict[str, Any]:
        """Let a site consent under a new grant."""
        party.grants[run] = self.grant(party, seconds=seconds)
        return self.send(
            party.account, self.rounds.functions.consent(run, party.site, party.grants[run])
        )

    def state(self, run: int) -> dict[str, Any]:
        """Read where a run stands, by field."""
        return _named(self.rounds, "stateOf", self.rounds.functions.stateOf(run).call())

    def member(self, run: int, party: Party) -> dict[str, Any]:
        """Read a site's place in a run, by field."""
        return _named(
            self.rounds, "memberOf", self.rounds.functions.memberOf(run, party.site).call()
        )

    def submission(self, run: int, party: Party, **changes: Any) -> Any:
        """Make the act of submitting to the current attempt."""
        state = self.state(run)
        values = {
            "run": run,
            "site": party.site,
            "round": state["round"],
            "attempt": state["attempt"],
            "stage": 0,
            "commitment": digest("update", run, state["round"], party.site),
            "weight": 100,
            "locator": digest("locator", run, state["round"], party.site),
        } | changes
        return self.rounds.functions.submit(*values.values())

    def submit(self, run: int, party: Party, **changes: Any) -> dict[str, Any]:
        """Submit an update's commitment to the current attempt."""
        return self.send(party.account, self.submission(run, party, **changes))

    def proposal(self, run: int, party: Party, **changes: Any) -> Any:
        """Make the act of proposing for the current attempt; every submission is included."""
        state = self.state(run)
        values = {
            "run": run,
            "site": party.site,
            "round": state["round"],
            "attempt": state["attempt"],
            "number": state["proposal"],
            "included": state["submitted"],
            "invalid": 0,
            "unavailable": 0,
            "creditsTotal": state["creditsGranted"] + PARAMETERS["creditsPerRound"],
            "record": digest("record", run, state["round"]),
            "recordLocator": digest("record locator"),
            "state": digest("state", run, state["round"]),
            "creditsRoot": digest("root"),
            "inclusion": b"",
        } | changes
        return self.rounds.functions.propose(tuple(values.values()))

    def turn(self, run: int) -> int:
        """Name the roster position whose turn it is to propose."""
        state = self.state(run)
        return int((state["round"] + state["attempt"] + state["proposal"]) % state["rosterLength"])

    def turns_party(self, run: int, parties: Sequence[Party]) -> Party:
        """Find the site whose turn it is to propose."""
        turn = self.turn(run)
        return next(each for each in parties if self.member(run, each)["position"] == turn)

    def propose(self, run: int, party: Party, **changes: Any) -> dict[str, Any]:
        """Propose a round record."""
        return self.send(party.account, self.proposal(run, party, **changes))

    def attestation(self, run: int, party: Party, **changes: Any) -> Any:
        """Make the act of attesting the current proposal."""
        return self.rounds.functions.attest(*self._vote(run, party, **changes))

    def objection(self, run: int, party: Party, **changes: Any) -> Any:
        """Make the act of objecting to the current proposal."""
        return self.rounds.functions.objectTo(*self._vote(run, party, **changes))

    def attest(self, run: int, party: Party, **changes: Any) -> dict[str, Any]:
        """Attest the current proposal, or the one the changes name."""
        return self.send(party.account, self.attestation(run, party, **changes))

    def object_to(self, run: int, party: Party, **changes: Any) -> dict[str, Any]:
        """Object to the current proposal, or the one the changes name."""
        return self.send(party.account, self.objection(run, party, **changes))

    def advance(self, run: int, account: str | None = None) -> dict[str, Any]:
        """Let time pass beyond the phase's deadline, and move on."""
        self.chain.sleep(max(0, self.state(run)["deadline"] - self.chain.now) + 1)
        return self.send(account or self.researcher, self.rounds.functions.advance(run))

    def go_on(self, run: int) -> dict[str, Any]:
        """Begin the round after a final one, or complete the run."""
        return self.send(self.parties[0].account, self.rounds.functions.advance(run))

    def _vote(self, run: int, party: Party, **changes: Any) -> tuple[Any, ...]:
        state = self.state(run)
        values = {
            "run": run,
            "site": party.site,
            "round": state["round"],
            "attempt": state["attempt"],
            "proposal": state["proposal"],
            "digest": digest("witness", run, party.site),
        } | changes
        return tuple(values.values())

    def settlement(self, run: int, round_number: int, total: int, root: bytes) -> tuple[Any, ...]:
        """Give what `proposal` settles for a round, in the contract's order."""
        return (
            digest("record", run, round_number),
            digest("state", run, round_number),
            root,
            total,
        )

    def logs_of(self, run: int) -> list[dict[str, Any]]:
        """Read every raw log of a run from its module, in order."""
        found: list[dict[str, Any]] = self.chain.rpc(
            "eth_getLogs",
            {
                "fromBlock": "0x0",
                "address": self.rounds.address,
                "topics": [None, "0x" + run.to_bytes(32, "big").hex()],
            },
        )
        return found


def _named(contract: Any, function: str, values: Sequence[Any]) -> dict[str, Any]:
    entry = next(each for each in contract.abi if each.get("name") == function)
    names = [each["name"] for each in entry["outputs"][0]["components"]]
    return dict(zip(names, values, strict=True))
