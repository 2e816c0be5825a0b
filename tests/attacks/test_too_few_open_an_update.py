"""Too few sites, and the aggregator among them, put together all they hold to open one update.

A real round of ten sites, of which three hand their masked updates in and then vanish. The
attackers have the chain, every published blob, the late bytes of those that vanished, and the
journals of five sites: one fewer than the threshold. They want an update that counts, for
which its mask key is missing, and one that came too late, for which its seed is. Six sites
would have both, which shows that the attack is made well and that the threshold is what
stands against it. What five do learn is said, too: with four others that count, the sum of
the two that are left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
import pytest

from fednet.cli.rehearsing import Stage
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import RoundNumber, SiteId
from fednet.node import Journal
from fednet.node.journal import RunNotes
from fednet.node.places import AttemptKey
from fednet.privacy.masking import (
    Received,
    RingArray,
    SiteSecrets,
    Unmasking,
    bind,
    disclose,
    receive,
)
from fednet.privacy.masking.dealing import Kind
from fednet.privacy.masking.keys import load, public_of
from fednet.privacy.masking.masked import pair_mask, self_mask
from fednet.privacy.masking.shamir import Share, join
from fednet.privacy.masking.streams import Masks, Term
from fednet.simulation import Step, Vanishing
from tests.attacks.lie import Liar, Lie, Refused
from tests.masked_rehearsal import ALL, Played, Published, play, ten_sites

LIE = Lie(
    "Too few sites, with the aggregator, put together all they hold to open one update",
    Liar.AGGREGATOR,
    (Refused("recovery", "QuorumError"), Refused("node", "PhaseError")),
)
KEY = AttemptKey(RoundNumber(1), 1)
Sites = Collection[SiteId]


@dataclass
class Attack:
    """One attempt as the attackers see it; which journals they have is said in each act."""

    played: Played

    @cached_property
    def published(self) -> Published:
        return self.played.published(*KEY)

    @cached_property
    def notes(self) -> dict[SiteId, RunNotes]:
        """Read every site's journal; attackers look into their own."""
        found = {}
        for site in ALL:
            deployment = self.played.stage.reader.deployment
            journal = Journal(self.played.folder / "journals", deployment, site)
            found[site] = journal.notes(self.played.run)
            journal.close()
        return found

    @cached_property
    def secrets(self) -> dict[SiteId, SiteSecrets]:
        place = self.published.place
        return {site: SiteSecrets(place, site, self.notes[site].roots[KEY]) for site in ALL}

    @cached_property
    def received(self) -> dict[SiteId, Received]:
        published = self.published
        return {
            site: receive(published.circle, self.secrets[site], published.dealings) for site in ALL
        }

    @property
    def threshold(self) -> int:
        return self.published.circle.threshold

    @property
    def counted(self) -> tuple[SiteId, ...]:
        return tuple(self.published.frozen.included)

    @property
    def late(self) -> tuple[SiteId, ...]:
        return self.published.frozen.vanished

    def shares(self, coalition: Sites, victim: SiteId, kind: Kind) -> list[Share]:
        """Collect the shares of a victim's secret that these sites were dealt."""
        return [
            Share(site, self.received[site].held[victim].of(kind))
            for site in coalition
            if victim in self.received[site].held
        ]

    def masked(self, site: SiteId) -> RingArray:
        """Take a masked update off the store; of who vanished, off the wire, as it came late."""
        submitted = self.played.history.rounds[KEY.round].attempts[KEY.attempt].submissions[site]
        if site in self.counted:
            store: BlobStore = self.played.stage.store
            path = store.fetch(submitted.commitment, [submitted.locator], 1 << 20, 10.0)
        else:
            path = self.played.folder / f"update-1-1-{site}.safetensors"
            assert submitted.commitment.of(path.read_bytes()) == submitted.commitment
        clear, _ = self.played.encoded(*KEY, site)
        return np.frombuffer(path.read_bytes()[-clear.nbytes :], clear.dtype).copy()

    def without(self, site: SiteId, terms: Collection[Term]) -> RingArray:
        """Add terms that undo masks to a masked update."""
        values = self.masked(site)
        Masks(list(terms), self.played.fixed_point.ring).add_to(values)
        return values

    def own_seed(self, victim: SiteId, seed: bytes) -> Term:
        return self_mask(self.published.dealers, victim, seed).reversed()

    def pair(self, known: SiteId, private: bytes, victim: SiteId) -> Term:
        """Undo in a victim's update the mask of a pair, from the other's private key."""
        return pair_mask(self.published.dealers, known, load(private), victim)


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    with ten_sites(tmp_path_factory.mktemp("masked") / "home") as stage:
        yield played_by(stage)


def played_by(stage: Stage) -> Attack:
    found = Attack(play(stage, Vanishing(3, (Step.FREEZING,))))
    assert found.threshold == 6
    assert (len(found.counted), len(found.late)) == (7, 3)
    return found


def victims(attack: Attack) -> list[tuple[SiteId, Kind]]:
    """Name whom to attack, and which secret is missing: the other one is public."""
    return [
        *((site, Kind.KEY) for site in attack.counted),
        *((site, Kind.SEED) for site in attack.late),
    ]


def is_secret(attack: Attack, victim: SiteId, kind: Kind, guess: bytes) -> bool:
    if kind is Kind.KEY:
        return public_of(guess) == attack.published.circle.keys[victim].mask
    return guess == attack.secrets[victim].seed


def test_the_other_secret_of_each_site_is_public(attack: Attack) -> None:
    public = attack.published.recover().secrets
    for site in attack.counted:
        assert public[site] == attack.secrets[site].seed
    for site in attack.late:
        assert public[site] == attack.secrets[site].mask_key


def test_no_five_of_the_others_have_the_missing_secret_of_anybody(attack: Attack) -> None:
    few = attack.threshold - 1
    for victim, kind in victims(attack):
        others = [site for site in ALL if site != victim]
        for coalition in combinations(others, few):
            shares = attack.shares(coalition, victim, kind)
            assert len(shares) == few
            with LIE.refused("QuorumError"):
                join(shares, attack.threshold)
            assert not is_secret(attack, victim, kind, join(shares, few))


def test_any_six_of_the_others_have_it(attack: Attack) -> None:
    for victim, kind in victims(attack):
        others = [site for site in ALL if site != victim]
        for coalition in combinations(others, attack.threshold):
            shares = attack.shares(coalition, victim, kind)
            assert is_secret(attack, victim, kind, join(shares, attack.threshold))


def test_five_of_those_that_count_open_the_sum_of_the_two_others_and_neither_alone(
    attack: Attack,
) -> None:
    public = attack.published.recover().secrets
    *coalition, first, second = attack.counted
    peeled = {}
    for victim in (first, second):
        terms = [attack.own_seed(victim, public[victim])]
        terms += [attack.pair(site, public[site], victim) for site in attack.late]
        terms += [attack.pair(each, attack.secrets[each].mask_key, victim) for each in coalition]
        peeled[victim] = attack.without(victim, terms)
        clear, _ = attack.played.encoded(*KEY, victim)
        assert looks_random(peeled[victim] - clear)
    clears = [attack.played.encoded(*KEY, victim)[0] for victim in (first, second)]
    assert (peeled[first] + peeled[second]).tobytes() == (clears[0] + clears[1]).tobytes()


def test_six_sites_open_an_update_that_counts(attack: Attack) -> None:
    victim, *others = attack.counted
    key = join(attack.shares(others, victim, Kind.KEY), attack.threshold)
    public = attack.published.recover().secrets
    undone = [
        pair_mask(attack.published.dealers, victim, load(key), other).reversed()
        for other in ALL
        if other != victim
    ]
    opened = attack.without(victim, [attack.own_seed(victim, public[victim]), *undone])
    assert opened.tobytes() == attack.played.encoded(*KEY, victim)[0].tobytes()


def test_an_update_that_came_too_late_stays_shut_for_five_and_opens_for_six(
    attack: Attack,
) -> None:
    victim, public = attack.late[0], attack.published.recover().secrets
    dealers, private = attack.published.dealers, load(public[attack.late[0]])
    undone = [
        pair_mask(dealers, victim, private, other).reversed() for other in ALL if other != victim
    ]
    clear, _ = attack.played.encoded(*KEY, victim)
    assert looks_random(attack.without(victim, undone) - clear)
    for count in (attack.threshold - 1, attack.threshold):
        seed = join(attack.shares(attack.counted[:count], victim, Kind.SEED), count)
        opened = attack.without(victim, [*undone, attack.own_seed(victim, seed)])
        is_open = opened.tobytes() == clear.tobytes()
        assert is_open == (count == attack.threshold)
        assert is_open or looks_random(opened - clear)


def test_recovery_refuses_what_five_disclose_for_a_set_of_their_own(attack: Attack) -> None:
    """They call the victim vanished, so that the shares of its key are asked for."""
    published = attack.published
    *coalition, _, victim = attack.counted
    included = {site: said for site, said in published.frozen.included.items() if site != victim}
    forged = replace(published.frozen, included=included, view=published.dealers.view)
    disclosures = {
        site: disclose(bind(forged, site, None), forged, attack.received[site].held)
        for site in coalition
    }
    recovery = replace(published, frozen=forged).recover(disclosures)
    assert recovery.missing[victim] == attack.threshold - 1
    assert victim not in recovery.secrets
    with LIE.refused("QuorumError"):
        recovery.require_complete(attack.threshold)


def test_an_honest_site_discloses_for_no_second_set(attack: Attack) -> None:
    """The sixth share is asked of a site that has disclosed for the set on the ledger."""
    published = attack.published
    *_, honest, victim = attack.counted
    included = {site: said for site, said in published.frozen.included.items() if site != victim}
    forged = replace(published.frozen, included=included, view=published.dealers.view)
    kept = Unmasking.from_bytes(attack.notes[honest].bindings[KEY], published.place, honest)
    with LIE.refused("PhaseError"):
        bind(forged, honest, kept)


def looks_random(values: RingArray) -> bool:
    """Tell whether bytes are spread evenly: chi-square of 255 degrees, below 400 but by 2e-8."""
    counts = np.bincount(values.view(np.uint8), minlength=256)
    expected = values.nbytes / 256
    return float(((counts - expected) ** 2 / expected).sum()) < 400
