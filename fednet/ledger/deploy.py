"""Put the ten contracts on a chain, tied to each other for good.

Each contract names the others in its constructor, so their addresses are
computed ahead from the account's next nonces (Yellow Paper, section 7). An
interrupted deployment leaves contracts that nobody uses: run it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_account.signers.local import LocalAccount
from eth_typing import HexAddress, HexStr
from eth_utils.crypto import keccak

from fednet.domain.identity import Address, Digest
from fednet.domain.ledger import Deployment, Modules, Receipt
from fednet.errors import FednetError, LedgerError
from fednet.ledger import abi, codec
from fednet.ledger.fees import FeeCaps
from fednet.ledger.library import Nonce, get_create_address
from fednet.ledger.rpc import JsonRpc, RpcRefusedError
from fednet.ledger.transacting import Transactor

_LEDGERS = ("SiteRegistry", "DataAccess", "Runs")
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "SiteRegistry": (),
    "DataAccess": ("SiteRegistry", "Runs"),
    "Runs": ("SiteRegistry", "Credits"),
    "Credits": ("SiteRegistry", "Runs"),
    "Disclosures": _LEDGERS,
    "Masking": ("SiteRegistry", "Runs"),
    **dict.fromkeys(abi.ROUNDS, _LEDGERS),
    "MaskedRounds": (*_LEDGERS, "Masking"),
}
"""Contracts in the order of their creation, each with those its constructor takes."""
_AGAIN = "run the deployment again; what was created so far is never used"


def deploy(rpc_url: str, account: LocalAccount, caps: FeeCaps | None = None) -> Deployment:
    """Create the contracts, check their code, and approve every rounds module.

    The account becomes the first operator.

    Raises:
        FundsError: The account cannot pay.
        LedgerUnavailableError: The chain does not answer.
        LedgerError: The contracts did not come out as compiled.
    """
    rpc = JsonRpc(rpc_url)
    try:
        return _deploy(rpc, account, caps)
    except RpcRefusedError as exc:
        raise LedgerError("the chain refuses", subject=exc.method, actual=exc.text) from exc
    except FednetError as exc:
        exc.hint = exc.hint or _AGAIN
        raise
    finally:
        rpc.close()


def _deploy(rpc: JsonRpc, account: LocalAccount, caps: FeeCaps | None) -> Deployment:
    chain_id, genesis, nonce = rpc.batch(
        ("eth_chainId",),
        ("eth_getBlockByNumber", "0x0", False),
        ("eth_getTransactionCount", account.address, "pending"),
    )
    transactor = Transactor(rpc, account, int(chain_id, 16), caps)
    at = {
        name: created_address(Address(account.address), int(nonce, 16) + offset)
        for offset, name in enumerate(_ARGUMENTS)
    }
    receipts = [_create(transactor, name, at) for name in _ARGUMENTS]
    hashes = [(name, _code_hash(rpc, name, at[name])) for name in sorted(_ARGUMENTS)]
    for module in abi.ROUNDS:
        transactor.act("Runs", at["Runs"], "approveModule", [at[module]])
    return Deployment(
        chain_id=int(chain_id, 16),
        genesis_hash=Digest(genesis["hash"]),
        block=min(receipt.block for receipt in receipts),
        site_registry=at["SiteRegistry"],
        data_access=at["DataAccess"],
        runs=at["Runs"],
        credits=at["Credits"],
        disclosures=at["Disclosures"],
        masking=at["Masking"],
        modules=Modules(*(at[module] for module in abi.ROUNDS)),
        code_hashes=tuple(hashes),
    )


def created_address(creator: Address, nonce: int) -> Address:
    """Compute where an account's creation with this nonce will stand."""
    return codec.to_address(get_create_address(HexAddress(HexStr(creator)), Nonce(nonce)))


def _create(transactor: Transactor, name: str, at: dict[str, Address]) -> Receipt:
    receipt, address = transactor.create(name, [at[each] for each in _ARGUMENTS[name]])
    if address != at[name]:
        raise LedgerError(
            "another transaction of the account came between",
            subject=f"creation of {name}", expected=at[name], actual=address, hint=_AGAIN,
        )  # fmt: skip
    return receipt


def _code_hash(rpc: JsonRpc, name: str, at: Address) -> Digest:
    """Hash the code on the chain, after comparing it with what was compiled."""
    code = bytes.fromhex(rpc.call("eth_getCode", at, "latest")[2:])
    compiled = abi.contract(name)
    masked = _without(code, compiled.immutables)
    if masked != _without(compiled.deployed_bytecode, compiled.immutables):
        raise LedgerError("the code is not the compiled one", subject=name, hint=_AGAIN)
    return Digest(keccak(code))


def _without(code: bytes, immutables: Sequence[tuple[int, int]]) -> bytes:
    blank = bytearray(code)
    for start, length in immutables:
        blank[start : start + length] = bytes(length)
    return bytes(blank)
