"""All that members of a sealed run publish, and all that one keeps, searched for what seals it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from fednet.domain.identity import RoundNumber, SiteId
from fednet.node import acts
from fednet.node.places import AttemptKey
from fednet.privacy.sealing import BlobPlace, KeyStore
from tests.secrecy import Leak, Secret, files, leaks
from tests.unit.audit.sealed_world import SealedWorld, private_of
from tests.unit.audit.world import work_of
from tests.unit.node.test_sealed_rounds import Site

OWN, THIRD = SiteId(3), AttemptKey(RoundNumber(3), 1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Let a node recompute two rounds of all members, then train and publish what it pledged."""
    (tmp_path / "world").mkdir()
    world = SealedWorld(tmp_path / "world", rounds=3)
    with closing(Site(world, OWN, tmp_path / "site 3")) as site:
        for number in (1, 2):
            world.collect()
            world.propose()
            site.fetch(number)
            site.judge(number)
            world.attest(*world.sites)
            world.finalize()
        site.do(acts.Train(THIRD))
        site.store.publish(site.pledged(THIRD))
        yield site


def secrets_of(site: Site) -> Iterator[Secret]:
    """List keys of blobs, keys of sites, and updates in the clear; and where each belongs."""
    kept = frozenset(files(site.folder / "keys"))
    opened = frozenset(files(site.workshop.folder / "opened"))
    assert kept
    assert opened
    place = BlobPlace(site.workshop._terms.place(*THIRD), OWN, "update")
    yield Secret("own content key", KeyStore(site.folder / "keys", OWN).obtain(place).secret, kept)
    for commitment, key in site.world.keys.items():
        yield Secret(f"content key of {commitment}", key.secret, kept)
    for member in site.world.sites:
        yield Secret(f"private key of site {member}", private_of(member).private_bytes_raw())
        for number in (1, 2, 3):
            for name, values in work_of(member, RoundNumber(number)).items():
                if values.nbytes >= 16:
                    told = f"site {member}, round {number}, {name}"
                    yield Secret(told, values.tobytes(), opened)


def given_away(site: Site) -> dict[str, bytes]:
    """Collect what stands on the ledger and what is published."""
    world = site.world
    told = [
        bytes(value) if isinstance(value, bytes) else str(value).encode()
        for event in (*world.taken_in, *world.logged)
        for value in (getattr(event, each.name) for each in fields(event))
    ]
    published = [*site.store._objects.values(), *world.store._objects.values()]
    return {"ledger": b"\n".join(told), "blobs": b"\n".join(published)}


def test_no_key_and_no_update_leaves_a_sealed_node_or_stands_where_it_does_not_belong(
    site: Site,
) -> None:
    secrets = list(secrets_of(site))
    said = given_away(site)
    assert site.pledged(THIRD).read_bytes() in said["blobs"]
    assert leaks(secrets, said, [site.folder]) == []
    # The search bites: what belongs in one place is found in another.
    said["blobs"] += b"".join(each.value for each in secrets)
    everything = [Leak(each.name, "blobs") for each in secrets]
    assert leaks(secrets, said, [site.folder]) == everything
    log = site.folder / "node.log"
    log.write_bytes(b"".join(each.value for each in secrets))
    assert {each.secret for each in leaks(secrets, {}, [site.folder])} == {
        each.name for each in secrets
    }
