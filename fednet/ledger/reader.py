"""Read the ledger from any Ethereum JSON-RPC; needs no key.

Every new connection is checked against the deployment before an answer is
believed: chain id, genesis block and the code of every contract. Events are
read up to the head the call saw, so that they come whole and in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

from eth_utils.crypto import keccak

from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.disclosures import BlobReader, DatasetBudget, DatasetUse, DisclosureLog
from fednet.domain.events import LedgerEvent, LocatorAnnounced, RunEvent
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    ReaderId,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import (
    Access,
    CreditAccount,
    Dataset,
    Deployment,
    Head,
    Member,
    Parameters,
    Role,
    Run,
    RunState,
    Site,
)
from fednet.domain.masking_events import MASKING_EVENTS, MaskingEvent
from fednet.domain.masking_stages import MaskingLog, MaskingState, MaskingTimes
from fednet.domain.proofs import LedgerClaims, LogProof
from fednet.errors import DeploymentMismatchError, LedgerError
from fednet.ledger import abi, codec
from fednet.ledger.batches import signer_of
from fednet.ledger.checkpoints import verify_checkpoint
from fednet.ledger.logs import LogReader
from fednet.ledger.proofs.collect import ProofSource, RpcSource
from fednet.ledger.proofs.history import prove_claims
from fednet.ledger.refusals import refusal, revert_data
from fednet.ledger.rpc import Json, JsonRpc, Rpc, RpcRefusedError

_Value = TypeVar("_Value")
_WRONG_CHAIN = "name the chain this deployment stands on, or the deployment file of this chain"
_BLOCKS_AT_ONCE = 100
_COMMITTEE_SIZE_BIT = 248
"""Of a packed committee; what the plan asks for stands from there on."""
_MOST_BLOCKS_PROVEN = 50_000
"""Headers that a live audit fetches; a bundle has no such limit."""
_UNKNOWN_ID_HINT = "ids are counted from 1; see `fednet ledger`"


class Web3Reader:
    """Implement ``LedgerReader`` over JSON-RPC.

    Args:
        deployment: Contracts to read, from the deployment file.
        rpc_url: Any Ethereum JSON-RPC over HTTP.

    Raises:
        DeploymentMismatchError: The chain is not the deployment's.
        LedgerUnavailableError: The chain does not answer.
    """

    def __init__(self, deployment: Deployment, rpc_url: str) -> None:
        self.rpc = JsonRpc(rpc_url)
        self._begin(deployment, self.rpc)

    def _begin(self, deployment: Deployment, chain: Rpc) -> None:
        """Start from a deployment and from whatever answers for its chain."""
        self._chain = chain
        self._deployment = deployment
        self._logs = LogReader(chain)
        self._addresses = deployment.contracts()
        self._runs: dict[RunId, Run] = {}
        self._parameters: dict[RunId, Parameters] = {}
        self._checked_connections = 0
        try:
            self.verify()
        except BaseException:
            self.close()
            raise

    @property
    def deployment(self) -> Deployment:
        return self._deployment

    @property
    def is_recorded(self) -> bool:
        return False

    @property
    def chain(self) -> Rpc:
        """Return what answers for the chain."""
        return self._chain

    def verify(self) -> None:
        """Check that the chain is the deployment's; done at each new connection."""
        held = self._deployment
        codes = dict(held.code_hashes)
        names = sorted(self._addresses)
        try:
            chain_id, genesis, *found = self._chain.batch(
                ("eth_chainId",),
                ("eth_getBlockByNumber", "0x0", False),
                *(("eth_getCode", self._addresses[name], "latest") for name in names),
            )
        except RpcRefusedError as exc:
            raise LedgerError("the chain refuses to identify itself", actual=exc.text) from exc
        _match("chain id", held.chain_id, int(chain_id, 16))
        _match("genesis block", held.genesis_hash, Digest(genesis["hash"]))
        for name, code in zip(names, found, strict=True):
            actual = Digest(keccak(hexstr=code)) if code != "0x" else "no contract"
            _match(f"code of {name} at {self._addresses[name]}", codes.get(name), actual)
        self._checked_connections = self._chain.connections

    def close(self) -> None:
        """Close this thread's connection."""
        self._chain.close()

    def head(self) -> Head:
        return codec.read_head(self._ask("eth_getBlockByNumber", "latest", False))

    def blocks(self, numbers: Sequence[int]) -> Sequence[Head]:
        found: list[Head] = []
        for start in range(0, len(numbers), _BLOCKS_AT_ONCE):
            wanted = numbers[start : start + _BLOCKS_AT_ONCE]
            calls = [("eth_getBlockByNumber", hex(number), False) for number in wanted]
            try:
                answers = self._chain.batch(*calls)
            except RpcRefusedError as exc:
                raise LedgerError("the chain refuses", subject="blocks", actual=exc.text) from exc
            if self._chain.connections != self._checked_connections:
                self.verify()
            found.extend(codec.read_head(answer) for answer in answers)
        if [head.number for head in found] != list(numbers):
            raise LedgerError("the chain gives other blocks than were asked for")
        return found

    def verify_checkpoint(self, signed: SignedCheckpoint) -> None:
        verify_checkpoint(signed)

    def signer_of(self, digest: Digest, signature: bytes) -> Address | None:
        return signer_of(digest, signature)

    def balance_wei(self, account: Address) -> int:
        return int(self._ask("eth_getBalance", account, "latest"), 16)

    def site(self, site: SiteId) -> Site:
        found = self._struct(Site, "SiteRegistry", "siteOf", site, known={"site": site})
        return self._known(found, found.standing != 0, f"site {site}")

    def site_count(self) -> int:
        return int(self._values("SiteRegistry", "siteCount")[0])

    def account(self, account: Address) -> tuple[SiteId, Role]:
        site, roles = self._values("SiteRegistry", "accountOf", account)
        return SiteId(site), Role(roles)

    def dataset(self, dataset: DatasetId) -> Dataset:
        known = {"dataset": dataset}
        found = self._struct(Dataset, "DataAccess", "datasetOf", dataset, known=known)
        return self._known(found, found.site != 0, f"dataset {dataset}")

    def access(self, grant: GrantId) -> Access:
        known = {"grant": grant}
        found = self._struct(Access, "DataAccess", "accessOf", grant, known=known)
        return self._known(found, found.status != 0, f"access request {grant}")

    def run(self, run: RunId) -> Run:
        if run not in self._runs:
            self._runs[run] = self._struct(Run, "Runs", "runOf", run, known={"run": run})
        return self._runs[run]

    def run_count(self) -> int:
        return int(self._values("Runs", "runCount")[0])

    def parameters(self, run: RunId) -> Parameters:
        if run not in self._parameters:
            self._parameters[run] = self._of_run(Parameters, "parametersOf", run)
        return self._parameters[run]

    def drawn_sites(self, run: RunId) -> int | None:
        module = self.run(run).module
        match self._deployment.modules.name_of(module):
            case "batched":
                (committee,) = self._values("BatchedRounds", "committeeOf", run, at=module)
                return int(committee) >> _COMMITTEE_SIZE_BIT
            case "sampled":
                (sample,) = self._values("SampledRounds", "sampleOf", run, at=module)
                return int(sample[0])
            case _:
                return None

    def state(self, run: RunId) -> RunState:
        return self._of_run(RunState, "stateOf", run)

    def member(self, run: RunId, site: SiteId) -> Member:
        return self._of_run(Member, "memberOf", run, site)

    def running_hash(self, run: RunId) -> Digest:
        module = self.run(run).module
        return Digest(self._values("PlainRounds", "runningHashOf", run, at=module)[0])

    def settlement(self, run: RunId, round_number: RoundNumber) -> Digest:
        module = self.run(run).module
        return Digest(self._values("PlainRounds", "settlementOf", run, round_number, at=module)[0])

    def credit_account(self, run: RunId, site: SiteId) -> CreditAccount:
        return self._struct(CreditAccount, "Credits", "accountOf", run, site)

    def credit_total(self, run: RunId) -> tuple[int, bool]:
        claimed_total, transferable = self._values("Credits", "totalOf", run)
        return int(claimed_total), bool(transferable)

    def disclosures(self) -> DisclosureLog:
        running_hash = self._values("Disclosures", "runningHash")[0]
        return DisclosureLog(Digest(running_hash), self._values("Disclosures", "recordCount")[0])

    def budget(self, dataset: DatasetId) -> DatasetBudget:
        known = {"dataset": dataset}
        return self._struct(DatasetBudget, "Disclosures", "budgetOf", dataset, known=known)

    def dataset_use(self, run: RunId, dataset: DatasetId) -> DatasetUse:
        known = {"run": run, "dataset": dataset}
        return self._struct(DatasetUse, "Disclosures", "useOf", run, dataset, known=known)

    def blob_reader(self, reader: ReaderId) -> BlobReader:
        known = {"reader": reader}
        found = self._struct(BlobReader, "Disclosures", "readerOf", reader, known=known)
        return self._known(found, found.run != 0, f"reader {reader}")

    def masking_times(self, run: RunId) -> MaskingTimes | None:
        times = self._struct(MaskingTimes, "Masking", "timesOf", run)
        return times if times.key_seconds else None

    def masking_state(self, run: RunId) -> MaskingState:
        return self._struct(MaskingState, "Masking", "stateOf", run)

    def masking_events(self, run: RunId, from_block: int = 0) -> Sequence[MaskingEvent]:
        found = self._events(MASKING_EVENTS, [_topic(run)], from_block)
        return [event for event in found if isinstance(event, MASKING_EVENTS)]

    def masking_log(self) -> MaskingLog:
        running_hash = self._values("Masking", "runningHash")[0]
        return MaskingLog(Digest(running_hash), self._values("Masking", "recordCount")[0])

    def run_events(self, run: RunId, from_block: int = 0) -> Sequence[RunEvent]:
        module = self.run(run).module
        logs = self._logs.read([module], [None, _topic(run)], *self._range(from_block))
        return [codec.read_run_event(log) for log in logs]

    def module_events(self, modules: Sequence[Address], from_block: int = 0) -> Sequence[RunEvent]:
        if not modules:
            return []
        logs = self._logs.read(modules, [], *self._range(from_block))
        # Without a second topic it is no statement about a run.
        return [codec.read_run_event(log) for log in logs if len(log.topics) > 1]

    def events(
        self, kinds: Sequence[type[LedgerEvent]], from_block: int = 0
    ) -> Sequence[LedgerEvent]:
        return self._events(kinds, [], from_block)

    def announced(self, commitment: Commitment) -> Sequence[Locator]:
        found = self._events([LocatorAnnounced], ["0x" + commitment.hex()], 0)
        return [cast(LocatorAnnounced, event).locator for event in found]

    def prove(self, claims: LedgerClaims) -> LogProof:
        """Compare what was said of a run with what headers, receipts and storage prove.

        Raises:
            LedgerError: The chain does not give its blocks.
        """
        return prove_claims(self._source(), self._deployment, claims, _MOST_BLOCKS_PROVEN)

    def _source(self) -> ProofSource:
        return RpcSource(self._chain)

    def call(self, contract: str, function: str, *arguments: object) -> tuple[abi.Value, ...]:
        """Call a view of one of the deployment's contracts; for tests and explorers."""
        return self._values(contract, function, *arguments)

    def _events(
        self, kinds: Sequence[type[LedgerEvent]], topics: Sequence[str], from_block: int
    ) -> list[LedgerEvent]:
        if not kinds:
            return []
        wanted = ["0x" + codec.topic_of(kind).hex() for kind in kinds]
        addresses = [at for name, at in self._addresses.items() if name not in abi.ROUNDS]
        logs = self._logs.read(addresses, [wanted, *topics], *self._range(from_block))
        return [event for event in map(codec.read_event, logs) if event is not None]

    def _range(self, from_block: int) -> tuple[int, int]:
        return max(from_block, self._deployment.block), self.head().number

    def _of_run(self, kind: type[_Value], function: str, run: RunId, *rest: object) -> _Value:
        return self._struct(kind, "PlainRounds", function, run, *rest, at=self.run(run).module)

    def _struct(
        self,
        kind: type[_Value],
        contract: str,
        function: str,
        *arguments: object,
        known: Mapping[str, object] | None = None,
        at: Address | None = None,
    ) -> _Value:
        values = self._values(contract, function, *arguments, at=at)
        components = abi.contract(contract).functions[function].outputs[0].fields
        return codec.build(kind, components, values[0], known or {})

    def _values(
        self, contract: str, function: str, *arguments: object, at: Address | None = None
    ) -> tuple[abi.Value, ...]:
        entry = abi.contract(contract).functions[function]
        data = entry.encode(arguments)
        transaction = {"to": at or self._addresses[contract], "data": "0x" + data.hex()}
        raw = self._ask("eth_call", transaction, "latest", subject=function)
        return abi.decode([each.abi_type for each in entry.outputs], bytes.fromhex(raw[2:]))

    def _ask(self, method: str, *params: object, subject: str = "") -> Json:
        try:
            answer = self._chain.call(method, *params)
        except RpcRefusedError as exc:
            data = revert_data(exc.data)
            if data is not None or "revert" in exc.text.lower():
                raise refusal(data, subject) from exc
            raise LedgerError("the chain refuses", subject=method, actual=exc.text) from exc
        if self._chain.connections != self._checked_connections:
            self.verify()
        return answer

    def _known(self, value: _Value, exists: bool, subject: str) -> _Value:
        if not exists:
            raise LedgerError("the ledger knows none", subject=subject, hint=_UNKNOWN_ID_HINT)
        return value


def _topic(run: RunId) -> str:
    return "0x" + run.to_bytes(32, "big").hex()


def _match(what: str, expected: object, actual: object) -> None:
    if expected != actual:
        raise DeploymentMismatchError(
            "the chain is not the deployment's",
            subject=what, expected=expected, actual=actual, hint=_WRONG_CHAIN,
        )  # fmt: skip
