"""A site hands in an update that it made for the same run number on another chain.

Liar: a site. Lie: "this is my work on this chain". Found by the intake (check
10): the manifest in the bytes names the chain.
"""

from __future__ import annotations

from dataclasses import replace

from tests.attacks import lies
from tests.attacks.network import Network
from tests.attacks.replaying import hand_in, require_refused

OTHER_CHAIN = 1337


def test_update_of_another_chain_is_refused(network: Network) -> None:
    members = network.members()
    liar = members[0]
    with network.open(members) as run:
        run.start(*members[1:])
        elsewhere = replace(run.place(), chain_id=OTHER_CHAIN)
        hand_in(liar, run, lies.update(liar, elsewhere))
        require_refused(network, run, liar, "wrong-place")
