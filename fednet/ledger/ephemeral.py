"""Accounts that live as long as this process, for networks that nobody else relies on.

Their keys are never written down: a rehearsal's network cannot be acted upon
once the rehearsal is over, only read.
"""

from __future__ import annotations

from collections.abc import Callable

from fednet.domain.identity import CONSORTIUM, Address
from fednet.domain.ledger import Role
from fednet.ledger.deploy import deploy
from fednet.ledger.keystore import new_account
from fednet.ledger.reader import Web3Reader
from fednet.ledger.writer import Web3Writer


def found_network(url: str, fund: Callable[[Address], object]) -> tuple[Web3Reader, Web3Writer]:
    """Deploy the contracts with a new account, which becomes operator and researcher.

    Args:
        url: JSON-RPC of the chain.
        fund: Gives the account money to act with.

    Raises:
        LedgerError: The chain does not answer, or refuses.
    """
    account = new_account()
    fund(Address(account.address))
    reader = Web3Reader(deploy(url, account), url)
    operator = Web3Writer(reader, account)
    operator.set_account_roles(CONSORTIUM, operator.address, Role.OPERATOR | Role.RESEARCHER)
    return reader, operator


def new_writer(reader: Web3Reader) -> Web3Writer:
    """Act with a new account over a connection that is there; it has no money yet."""
    return Web3Writer(reader, new_account())
