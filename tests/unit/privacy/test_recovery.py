"""Who disclosed a wrong share, who dealt one, and what colluders below the threshold can do."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from fednet.domain.identity import SiteId
from fednet.errors import AggregationError, PhaseError, QuorumError
from fednet.privacy.masking import Circle, Fault, Frozen, SiteSecrets, Wrong, bind, deal, disclose
from fednet.privacy.masking import dealing as dealing_module
from fednet.privacy.masking.combining import masks_left
from fednet.privacy.masking.dealing import Kind
from fednet.privacy.masking.forms import HEAD_SIZE_BYTES
from fednet.privacy.masking.keys import load
from fednet.privacy.masking.masked import pair_mask, self_mask
from fednet.privacy.masking.shamir import Share, join
from fednet.privacy.masking.streams import Masks
from tests.masking_fixtures import (
    PLACE,
    TEN,
    Attempt,
    clear_mean,
    clear_sum,
    fixed_point_of,
    weight_of,
)

COUNT = 200
ONE, TWO, NINE = SiteId(1), SiteId(2), SiteId(9)
THRESHOLD = 6
FIXED_POINT = fixed_point_of()


def run_to_freeze(attempt: Attempt, gone: Iterable[SiteId] = ()) -> Frozen:
    attempt.hold(TEN)
    dealers = attempt.close()
    attempt.mask(dealers, sorted(TEN - set(gone)), COUNT, FIXED_POINT)
    return attempt.freeze(dealers)


@pytest.fixture
def attempt() -> Attempt:
    begun = Attempt.begin(TEN)
    begun.deal(TEN)
    return begun


def tampered(data: bytes, row: int) -> bytes:
    """Change one bit of the share in a row of a disclosure."""
    at = HEAD_SIZE_BYTES + 32 + row * 37 + 5
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_wrong_share_is_its_disclosers_lie_and_changes_nothing(attempt: Attempt) -> None:
    frozen = run_to_freeze(attempt)
    attempt.disclose(frozen, TEN)
    attempt.disclosures[ONE] = tampered(attempt.disclosures[ONE], row=0)
    recovery = attempt.recover(frozen)
    assert recovery.faults == (Fault(ONE, Wrong.SHARE, TWO),)
    mean = attempt.combine(frozen, recovery, FIXED_POINT)
    assert mean.tobytes() == clear_mean(sorted(TEN), FIXED_POINT, COUNT).tobytes()


def test_rubbish_and_strangers_are_named_and_passed_over(attempt: Attempt) -> None:
    frozen = run_to_freeze(attempt)
    attempt.disclose(frozen, TEN)
    attempt.disclosures[ONE] = b"rubbish"
    attempt.disclosures[SiteId(99)] = attempt.disclosures[TWO]
    recovery = attempt.recover(frozen)
    assert [(fault.site, fault.wrong) for fault in recovery.faults] == [
        (1, Wrong.DISCLOSURE), (99, Wrong.DISCLOSURE),
    ]  # fmt: skip
    assert "size" in recovery.faults[0].reason
    assert not recovery.missing


def test_second_act_for_another_set_convicts_itself(attempt: Attempt) -> None:
    frozen = run_to_freeze(attempt)
    other = dataclasses.replace(frozen, view=frozen.dealers.view)
    attempt.disclose(frozen, TEN)
    held = attempt.received[ONE].held
    attempt.disclosures[ONE] = disclose(bind(other, ONE, None), other, held)
    (fault,) = attempt.recover(frozen).faults
    assert (fault.site, fault.wrong) == (ONE, Wrong.DISCLOSURE)
    assert "another set" in fault.reason


def test_withholding_is_reported_and_accuses_nobody(attempt: Attempt) -> None:
    frozen = run_to_freeze(attempt)
    attempt.disclose(frozen, TEN)
    some = {dealer: held for dealer, held in attempt.received[ONE].held.items() if dealer != TWO}
    attempt.disclosures[ONE] = disclose(bind(frozen, ONE, None), frozen, some)
    recovery = attempt.recover(frozen)
    assert recovery.withheld == ((ONE, TWO),)
    assert not recovery.faults
    # Who said before that it holds none is not withholding it.
    del attempt.disclosures[NINE]
    assert {holder for holder, _ in attempt.recover(frozen).withheld} == {ONE, NINE}


def two_faced_dealing(
    attempt: Attempt, dealer: SiteId, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    """Deal its last neighbour a share of another secret, with the commitment that fits it."""
    honest = dealing_module.share_out

    def share_out(circle: Circle, site: SiteId, of: Kind, secret: bytes) -> dict[SiteId, bytes]:
        shares = honest(circle, site, of, secret)
        if of is kind:
            last = max(shares)
            shares[last] = honest(circle, site, of, bytes(31) + b"\1")[last]
        return shares

    monkeypatch.setattr(dealing_module, "share_out", share_out)
    data = deal(attempt.circle, attempt.secrets[dealer])
    monkeypatch.undo()
    return data


@pytest.mark.parametrize(("kind", "gone"), [(Kind.SEED, ()), (Kind.KEY, (TWO,))])
def test_dealer_of_shares_from_two_polynomials_is_named(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, kind: Kind, gone: tuple[SiteId, ...]
) -> None:
    attempt.dealings[TWO] = two_faced_dealing(attempt, TWO, kind, monkeypatch)
    frozen = run_to_freeze(attempt, gone)
    # Nobody can notice: every share fits its own commitment.
    assert all(TWO in attempt.holdings[site] for site in TEN - {TWO})
    attempt.disclose(frozen, TEN)
    recovery = attempt.recover(frozen)
    assert recovery.faults == (Fault(TWO, Wrong.DEALING, TWO),)
    with pytest.raises(AggregationError) as caught:
        attempt.combine(frozen, recovery, FIXED_POINT)
    assert caught.value.subject == "site 2"
    # Whichever shares came, the verdict is the same.
    for some in itertools.islice(itertools.combinations(sorted(TEN), 7), 40):
        attempt.disclosures = {}
        attempt.disclose(frozen, some)
        named = {fault.site for fault in attempt.recover(frozen).faults}
        assert named == ({TWO} if len(set(some) - {TWO}) >= THRESHOLD else set())


def test_dealer_of_another_key_than_it_advertised_is_named(attempt: Attempt) -> None:
    other = SiteSecrets(PLACE, TWO, bytes(32))
    false = dataclasses.replace(attempt.secrets[TWO], root=other.root)
    # The channel key stays, or nobody could open the shares.
    circle = attempt.circle
    keys = {**circle.keys, TWO: dataclasses.replace(circle.keys[TWO], channel=false.public.channel)}
    attempt.circle = dataclasses.replace(circle, keys=keys)
    attempt.dealings[TWO] = deal(attempt.circle, false)
    frozen = run_to_freeze(attempt, [TWO])
    assert all(TWO in attempt.holdings[site] for site in TEN - {TWO})
    attempt.disclose(frozen, TEN - {TWO})
    assert attempt.recover(frozen).faults == (Fault(TWO, Wrong.DEALING, TWO),)


def test_dealing_that_nobody_serves_any_more_is_a_lack_of_shares(attempt: Attempt) -> None:
    frozen = run_to_freeze(attempt)
    attempt.disclose(frozen, TEN)
    del attempt.dealings[TWO]
    recovery = attempt.recover(frozen)
    assert recovery.missing == {TWO: 0}
    with pytest.raises(QuorumError):
        attempt.combine(frozen, recovery, FIXED_POINT)


def test_update_that_is_none_is_noticed_in_the_sum_and_hides_its_author(attempt: Attempt) -> None:
    frozen = run_to_freeze(attempt)
    attempt.disclose(frozen, TEN)
    attempt.masked[TWO][7] += np.uint32(1 << 31)
    with pytest.raises(AggregationError) as caught:
        attempt.combine(frozen, attempt.recover(frozen), FIXED_POINT)
    assert caught.value.subject == ""


def unmask_alone(attempt: Attempt, frozen: Frozen, victim: SiteId, seed: bytes, key: bytes) -> bool:
    """Take the masks off one update with a seed and a mask key; tell whether it lies bare."""
    terms = [self_mask(frozen.dealers, victim, seed)]
    terms += [
        pair_mask(frozen.dealers, victim, load(key), other)
        for other in frozen.dealers.neighbours[victim]
    ]
    bare = attempt.masked[victim].copy()
    Masks([term.reversed() for term in terms], FIXED_POINT.ring).add_to(bare)
    return bool(np.array_equal(bare, clear_sum([victim], FIXED_POINT, COUNT)))


@pytest.mark.parametrize("victim", [ONE, NINE])
def test_aggregator_and_colluders_below_the_threshold_cannot_open_an_update(
    attempt: Attempt, victim: SiteId
) -> None:
    """The attack: everything that is published, and both shares of each colluder."""
    frozen = run_to_freeze(attempt)
    attempt.disclose(frozen, TEN)
    everybody = sorted(TEN - {victim})
    published = attempt.recover(frozen).secrets
    assert published[victim] == attempt.secrets[victim].seed

    def keys_from(colluders: Iterable[SiteId], threshold: int) -> bytes:
        shares = [Share(at, attempt.received[at].held[victim].key) for at in colluders]
        return join(shares, threshold)

    few, enough = everybody[: THRESHOLD - 1], everybody[:THRESHOLD]
    # With the seed out, one share short, every guess at the mask key opens nothing:
    for threshold in range(2, THRESHOLD):
        assert not unmask_alone(
            attempt, frozen, victim, published[victim], keys_from(few, threshold)
        )
    with pytest.raises(QuorumError):
        keys_from(few, THRESHOLD)
    # and with one more colluder the same attack works, so it is the threshold that protects.
    assert unmask_alone(attempt, frozen, victim, published[victim], keys_from(enough, THRESHOLD))


def test_colluders_who_take_off_what_they_know_find_a_sum_over_the_honest_alone(
    attempt: Attempt,
) -> None:
    frozen = run_to_freeze(attempt)
    attempt.disclose(frozen, TEN)
    colluders = sorted(TEN)[: THRESHOLD - 1]
    honest = sorted(TEN - set(colluders))
    total = sum((attempt.masked[site] for site in frozen.included), np.zeros(COUNT, "<u4"))
    Masks(masks_left(frozen, attempt.recover(frozen)), FIXED_POINT.ring).add_to(total)
    left = total - clear_sum(colluders, FIXED_POINT, COUNT)
    assert np.array_equal(left, clear_sum(honest, FIXED_POINT, COUNT))
    # Of one honest site they can take off the masks with themselves and its self-mask only.
    for victim in honest:
        secrets, published = attempt.secrets, attempt.recover(frozen).secrets
        terms = [self_mask(frozen.dealers, victim, published[victim])]
        terms += [
            pair_mask(frozen.dealers, other, load(secrets[other].mask_key), victim).reversed()
            for other in colluders
        ]
        bare = attempt.masked[victim].copy()
        Masks([term.reversed() for term in terms], FIXED_POINT.ring).add_to(bare)
        assert np.count_nonzero(bare == clear_sum([victim], FIXED_POINT, COUNT)) == 0


def test_honest_sites_never_publish_both_kinds_whoever_asks_for_what(attempt: Attempt) -> None:
    """An attacker shows half the sites one frozen set, and the others another."""
    attempt.hold(TEN)
    dealers = attempt.close()
    attempt.mask(dealers, TEN, COUNT, FIXED_POINT)
    with_victim = attempt.freeze(dealers)
    victim_update = attempt.masked.pop(NINE)
    without = attempt.freeze(dealers)
    attempt.masked[NINE] = victim_update
    honest = sorted(TEN - {NINE})
    seeds = {site: bind(with_victim, site, None) for site in honest[:5]}
    keys = {site: bind(without, site, None) for site in honest[5:]}
    for site, bound in (seeds | keys).items():
        for asked in (with_victim, without):
            data = attempt.received[site].held
            if bound.view == asked.view:
                attempt.disclosures[site] = disclose(bound, asked, data)
            else:
                with pytest.raises(PhaseError):
                    disclose(bound, asked, data)
    # Each set got fewer shares than the threshold: neither secret of the victim is out.
    for asked in (with_victim, without):
        recovery = attempt.recover(asked)
        assert NINE in recovery.missing
        assert NINE not in recovery.secrets


def test_weights_of_the_tests_differ() -> None:
    assert len({weight_of(site) for site in TEN}) == len(TEN)
