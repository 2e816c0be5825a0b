"""All that ten masked nodes give away, and all that they keep, searched for their secrets.

Everything that leaves a node is what it writes to the ledger and what it publishes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.domain.identity import SiteId
from fednet.domain.ledger import Phase
from fednet.domain.masking_stages import MaskingStage
from fednet.domain.update import Place
from fednet.privacy.masking import SiteSecrets, agree_on
from fednet.privacy.masking.keys import agree, load
from tests.masked_chain import MaskedChain, sections
from tests.masked_network import Network, stop_time, values_of
from tests.secrecy import Leak, Secret, leaks
from tests.unit.audit.books import RUN

TEN, VANISHING = 10, 7


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """Play a round in which one site deals shares and then vanishes."""

    class Chain(MaskedChain):
        pass

    Chain.sections = sections(TEN)
    (tmp_path / "chain").mkdir()
    chain = Chain(tmp_path / "chain", TEN, rounds=1)
    stop_time(monkeypatch, chain)
    network = Network(chain, tmp_path)
    network.play(
        lambda chain: chain.phase in (Phase.FINAL, Phase.ABORTED),
        lambda chain: [VANISHING] if chain.stage()[0] >= MaskingStage.MASKED else [],
    )
    assert network.chain.phase is Phase.FINAL
    yield network
    network.close()


def secrets_of(network: Network, site: SiteId) -> Iterator[Secret]:
    """List what one site alone may know, and the journal in which its root belongs."""
    journal = network.journals[site]
    (root,) = journal.notes(RUN).roots.values()
    secrets = SiteSecrets(network.chain.place, site, root)
    yield Secret(f"{site}: root", root, frozenset([journal.path]))
    yield Secret(f"{site}: mask key", secrets.mask_key)
    yield Secret(f"{site}: channel key", secrets.channel_key)
    yield Secret(f"{site}: seed of its own mask", secrets.seed)
    for other, keys in network.chain.record.keys.items():
        if other != site:
            pair = agree(load(secrets.mask_key), keys.mask_key)
            yield Secret(f"{site}: what it shares with {other}", pair)
    yield from updates_of(network, site, network.chain.place)


def updates_of(network: Network, site: SiteId, place: Place) -> Iterator[Secret]:
    """Give a site's update as it would stand in the clear, tensor by tensor and in the ring."""
    if site == VANISHING:
        return
    arrays = values_of(site, place.round, place.attempt)
    for name, values in arrays.items():
        if values.nbytes >= 16:
            yield Secret(f"{site}: {name}", values.tobytes())
    fixed_point = agree_on(network.chain.plan, TEN).fixed_point
    flat = np.concatenate([arrays[name].reshape(-1) for name in sorted(arrays)])
    encoded = np.empty(flat.size, fixed_point.ring.dtype)
    fixed_point.encode_into(flat, 10 * site, encoded, "site")
    yield Secret(f"{site}: the update in the ring", encoded.tobytes())


def given_away(network: Network) -> dict[str, bytes]:
    """Collect what stands on the ledger and what is published."""
    chain = network.chain
    told: list[bytes] = []
    for event in (*chain.taken_in, *chain.logged):
        values: list[Any] = [getattr(event, each.name) for each in fields(event)]
        told += [
            bytes(value) if isinstance(value, bytes) else str(value).encode() for value in values
        ]
    published = chain.store._objects.values()
    return {"ledger": b"\n".join(told), "blobs": b"\n".join(published)}


def test_no_secret_leaves_a_masked_node_or_stands_where_it_does_not_belong(
    network: Network, tmp_path: Path
) -> None:
    secrets = [each for site in network.chain.sites for each in secrets_of(network, site)]
    assert len(secrets) > TEN * TEN
    said = given_away(network)
    assert len(network.chain.submissions()) == TEN - 1
    for submitted in network.chain.submissions():
        assert submitted.commitment in said["ledger"]
    folders = [tmp_path / f"site-{site}" for site in network.chain.sites]
    folders.append(tmp_path / "journals")
    assert leaks(secrets, said, folders) == []
    # The search bites: whatever is planted among the blobs is found there.
    said["blobs"] += b"".join(each.value for each in secrets)
    assert leaks(secrets, said, folders) == [Leak(each.name, "blobs") for each in secrets]
