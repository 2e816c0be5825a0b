"""Acts of many accounts, sent to Anvil all at once."""

from __future__ import annotations

import pytest
from eth_account import Account

from fednet.domain.identity import Commitment, SiteId
from fednet.domain.ledger import Application, Role, Standing
from fednet.errors import RevertedError
from fednet.ledger.convoy import NOT_SENT, Convoy
from fednet.ledger.writer import Web3Writer
from tests.chain_fixtures import ChainWorld

SITES = 250
"""More than fit into one block of Anvil's, by the gas that they may use."""


def _applications(world: ChainWorld, convoy: Convoy) -> list[Web3Writer]:
    writers = [Web3Writer(world.reader, Account.create()) for _ in range(SITES)]
    operator = convoy.aboard(world.operator)
    deadline = world.reader.head().timestamp + 1_000
    for number, writer in enumerate(writers):
        application = Application(
            account=writer.address,
            name=f"site {number}",
            metadata=Commitment.of(b"nothing"),
            encryption_key=bytes([number + 1]) * 32,
            store_address="",
            deadline=deadline,
        )
        given = operator.apply_for(application, writer.sign_application(application))
        assert given is NOT_SENT
    return writers


def test_acts_keep_their_order_and_a_refusal_its_name(anvil_world: ChainWorld) -> None:
    world, convoy = anvil_world, Convoy(anvil_world.reader)
    writers = _applications(world, convoy)
    assert world.reader.site_count() == 0
    sites = [SiteId(receipt.created) for receipt in convoy.send()]
    assert sites == list(range(1, SITES + 1))
    assert world.reader.site(sites[-1]).account == writers[-1].address

    operator = convoy.aboard(world.operator)
    for site in (*sites, sites[0]):
        operator.admit(site, Role.SITE, 10**17)
    with pytest.raises(RevertedError) as caught:
        convoy.send()
    assert caught.value.error == "SiteStandingWrong"
    # What came with the act that failed is done.
    assert world.reader.site(sites[-1]).standing is Standing.ACTIVE

    for site, writer in zip(sites, writers, strict=True):
        convoy.aboard(writer).register_dataset(site, Commitment.of(b"y"), Commitment.of(b"x"), 7)
    assert len({receipt.created for receipt in convoy.send()}) == SITES
    assert convoy.send() == []
