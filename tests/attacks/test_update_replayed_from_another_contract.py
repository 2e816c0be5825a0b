"""A site hands in an update made for the same run number under another rounds module.

Liar: a site. Lie: "this is my work under this contract". Found by the intake
(check 10): the manifest in the bytes names the rounds module.
"""

from __future__ import annotations

from dataclasses import replace

from tests.attacks import lies
from tests.attacks.network import Network
from tests.attacks.replaying import hand_in, require_refused


def test_update_of_another_contract_is_refused(network: Network) -> None:
    members = network.members()
    liar = members[0]
    with network.open(members) as run:
        run.start(*members[1:])
        elsewhere = replace(run.place(), contract=network.reader.deployment.runs)
        hand_in(liar, run, lies.update(liar, elsewhere))
        require_refused(network, run, liar, "wrong-place")
