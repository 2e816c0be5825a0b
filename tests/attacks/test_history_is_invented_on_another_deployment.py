"""Somebody deploys the same contracts again and invents a history there.

It is consistent in itself: sites of the inventor's, real updates, a real quorum.
Its audit says so, and of which deployment. Who holds the consortium's deployment
file refuses it, also where only the addresses in the file are exchanged.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fednet.domain.ledger import Deployment, Phase
from fednet.ledger.deploy import deploy
from fednet.ledger.reader import Web3Reader
from tests.attacks.finished import Finished
from tests.attacks.lie import Liar, Lie, reader, require_honest
from tests.attacks.network import OWNER, Network
from tests.attacks.rewriting import fresh_reader
from tests.attacks.vault import Vault

LIE = Lie(
    "A history is invented on another deployment",
    Liar.CHAIN,
    (reader("DeploymentMismatchError"),),
)


def test_invented_history_is_not_the_consortiums(network: Network, tmp_path: Path) -> None:
    invented = Network(tmp_path, network.kubos)
    try:
        with invented.open(invented.members()) as run:
            run.start()
            assert run.over() is Phase.COMPLETED
            report = invented.audit(run)
        assert report.verified
        with LIE.refused("DeploymentMismatchError"), fresh_reader(network, invented.anvil.url):
            pass
    finally:
        invented.close()


def test_addresses_exchanged_in_the_deployment_file_are_refused(network: Network) -> None:
    held = network.reader.deployment
    other = deploy(network.anvil.url, OWNER)
    forged: Deployment = replace(other, code_hashes=held.code_hashes)
    with (
        LIE.refused("DeploymentMismatchError"),
        closing(Web3Reader(forged, network.anvil.url)),
    ):
        pass


def test_honest_deployment_is_audited(network: Network, vault: Vault, finished: Finished) -> None:
    with fresh_reader(network) as asked:
        require_honest(vault.audit(finished, asked))
