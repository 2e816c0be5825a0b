"""What a site hides: encrypted with the run's key, sealed to aggregators, once for one sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fednet.audit.encrypted_updates import judge_encrypted
from fednet.codec import Expected, open_update
from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.update import Manifest
from fednet.errors import SealedError, SettingsError, TrainingError
from fednet.node import SiteKeys
from fednet.node.admission import ADDS_ONLY, find_obstacle
from fednet.node.encrypting import Encryption, keep_shared_key, shared_keys
from fednet.node.journal import Journal
from fednet.privacy.sealing import KeyStore
from tests.encrypting import ckks_key
from tests.unit.audit.books import DEPLOYMENT, RUN
from tests.unit.audit.encrypted_world import AGGREGATORS, EncryptedWorld
from tests.unit.audit.sealed_world import private_of
from tests.unit.node.test_summing import FIRST, Party, Reading
from tests.unit.node.views import attempt_key

SITE = SiteId(1)
Find = Callable[[Digest], Any]


class Site:
    """One site that has trained, and what it hides its update with."""

    def __init__(self, folder: Path, shared_key: Find | None) -> None:
        folder.mkdir()
        (folder / "world").mkdir()
        self.world, self.folder = EncryptedWorld(folder / "world"), folder
        self.journal = Journal(folder / "journal", DEPLOYMENT, SITE)
        self.agreed: frozenset[Any] = frozenset()
        keys = SiteKeys(KeyStore(folder / "keys", SITE), lambda public: private_of(SITE))
        tools: Any = SimpleNamespace(
            site=SITE, journal=self.journal, keys=keys, shared_key=shared_key, reader=self.world
        )
        world = self.world
        terms: Any = SimpleNamespace(plan=world.plan, run=RUN, place=lambda *_: world.place)
        sums: Any = self
        self.encryption = Encryption(tools, terms, sums)

    @property
    def agreed_attempts(self) -> frozenset[Any]:
        return self.agreed

    def hide(self, key: Any = FIRST) -> tuple[Path, Commitment]:
        """Hide the update that was trained for round 1, again and again."""
        world = self.world
        world.submit(SITE)  # writes the plain update
        plain = world.updates[world.place.round, world.place.attempt, SITE]
        target = self.folder / f"update-{key.attempt}"
        with open_update(plain, "update", world.plan, world._shape()) as file:
            manifest = Manifest.from_metadata(file.metadata, "update")
            history = Reading(world).history
            hidden = self.encryption.hide(key, target, file, manifest, history, within=True)
            return target, hidden

    def close(self) -> None:
        self.journal.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    keep_shared_key(tmp_path / "shared", ckks_key())
    with closing(Site(tmp_path / "site", shared_keys(tmp_path / "shared"))) as made:
        yield made


def test_an_aggregator_opens_and_judges_what_a_site_hid_and_nobody_else_does(site: Site) -> None:
    path, commitment = site.hide()
    assert Commitment.of(path.read_bytes()) == commitment
    world = site.world
    (submitted, *_) = [at for at in world.submissions() if at.site == SITE]
    mine = SimpleNamespace(site=SITE, commitment=commitment, weight=submitted.weight)
    said: Any = [mine]

    opened = world.seals(world.member(AGGREGATORS[0])).open_updates(said, {SITE: path})
    content = opened.paths[SITE]

    assert content is not None
    expected = Expected(world.place, SITE, submitted.weight, {world.base: 0}, world._shape())
    assert judge_encrypted(content, world.plan, expected).inclusion is Inclusion.INCLUDED
    assert site.folder.joinpath("update-1.encrypted").exists() is False
    for other in (1, 2):
        with pytest.raises(SealedError):
            world.seals(world.member(other)).open_updates(said, {SITE: path})


def test_nothing_of_the_update_is_in_the_bytes_that_leave(site: Site) -> None:
    path, _ = site.hide()
    plain = site.world.updates[site.world.place.round, 1, SITE].read_bytes()
    values = np.frombuffer(plain[-12:], "<f4")
    assert values.any()
    data = path.read_bytes()
    assert b"fednet" not in data
    assert plain[-12:] not in data


def test_the_same_update_is_encrypted_in_no_second_sum(site: Site) -> None:
    site.hide()
    site.agreed = frozenset({FIRST})

    with pytest.raises(TrainingError) as caught:
        site.hide(attempt_key(1, 2))

    assert "second sum" in caught.value.hint


def test_an_attempt_without_a_sum_leaves_the_next_one_free(site: Site) -> None:
    _, first = site.hide()
    site.world.begin(1, attempt=2)
    _, second = site.hide(attempt_key(1, 2))
    assert first != second


def test_without_the_runs_key_a_site_is_told_where_to_get_it(tmp_path: Path) -> None:
    found = shared_keys(tmp_path / "shared")
    with (
        closing(Site(tmp_path / "site", found)) as site,
        pytest.raises(SettingsError) as caught,
    ):
        site.hide()
    assert "fednet homomorphic take" in caught.value.hint
    assert not (tmp_path / "site" / "update-1").exists()


def test_a_node_without_keys_says_so(tmp_path: Path) -> None:
    with (
        closing(Site(tmp_path / "site", None)) as site,
        pytest.raises(SettingsError) as caught,
    ):
        site.hide()
    assert "fednet node run" in caught.value.hint


def test_who_adds_never_trains(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    party = Party(EncryptedWorld(tmp_path / "world"), AGGREGATORS[0], tmp_path / "adds")
    tools: Any = SimpleNamespace(site=party.site)
    terms: Any = SimpleNamespace(plan=party.world.plan)
    nothing: Any = None
    assert find_obstacle(tools, terms, nothing, nothing) == ADDS_ONLY
    party.close()
