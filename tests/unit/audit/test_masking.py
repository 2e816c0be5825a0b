"""Masked rounds audited: verified bit for bit, and each lie about a share told by its author."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.audit import AuditReport, RoundVerdict, Severity
from fednet.codec import Reason
from fednet.domain import masking_events as me
from fednet.domain.identity import Locator, SiteId
from fednet.domain.ledger import Inclusion, pack_inclusion
from fednet.domain.tensors import decode_tensors
from fednet.errors import AggregationError, QuorumError
from fednet.privacy.masking import HeldShares
from tests.unit.audit.masking import MASKED, SITES, Masking


def world_of(
    folder: Path, away: Mapping[str, Collection[int]] | None = None, **sections: Any
) -> Masking:
    class Played(Masking):
        pass

    Played.sections, Played.away = MASKED | sections, away or {}
    return Played(folder, SITES)


def found(report: AuditReport, *, notices: bool = False) -> list[tuple[str, int, int | None]]:
    return [
        (each.code, each.check, each.accused)
        for each in report.findings
        if (each.severity is Severity.NOTICE) is notices
    ]


def clear_state(world: Masking, sites: Collection[int]) -> bytes:
    """Add the encoded updates in the clear, and the mean to the zeros that round 1 starts from."""
    fixed_point = world.players.agreement.fixed_point
    count = world.values_of(1).size
    total = np.zeros(count, fixed_point.ring.dtype)
    encoded, mean = np.empty_like(total), np.empty(count, np.float64)
    for site in sites:
        fixed_point.encode_into(world.values_of(site), 10 * site, encoded, "site")
        total += encoded
    fixed_point.mean_into(total, sum(10 * site for site in sites), mean)
    return mean.astype(np.float32).tobytes()


def state_of(world: Masking) -> bytes:
    assert world.proposed is not None
    arrays, _ = decode_tensors(world.proposed.state_path.read_bytes(), "state")
    return b"".join(arrays[name].tobytes() for name in sorted(arrays))


def test_masked_run_is_verified_and_its_state_is_the_sum_in_the_clear(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.collect()
    world.propose()
    assert state_of(world) == clear_state(world, range(1, SITES + 1))
    world.attest(*world.sites)
    world.finalize()
    world.play()
    report = world.audit()
    assert report.findings == ()
    assert report.verified
    assert [each.verdict for each in report.rounds] == [RoundVerdict.VERIFIED] * 2


@pytest.mark.parametrize("ring_bits", [32, 64])
@pytest.mark.parametrize("stage", ["keys", "shares", "holdings", "masked", "unmasking"])
def test_run_from_which_a_site_vanishes_at_a_stage_is_verified(
    tmp_path: Path, stage: str, ring_bits: int
) -> None:
    masking = MASKED["masking"] | {"ring_bits": ring_bits}
    world = world_of(tmp_path, {stage: [4]}, masking=masking)
    world.collect()
    world.propose()
    counted = [site for site in range(1, SITES + 1) if site != 4 or stage == "unmasking"]
    assert state_of(world) == clear_state(world, counted)
    world.attest(*world.there("freezing"))
    world.finalize(stay=True)
    report = world.audit()
    assert found(report) == []
    assert report.rounds[0].verdict is RoundVerdict.VERIFIED


def test_update_that_nobody_serves_is_left_out_of_the_set_and_of_the_sum(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.mask()
    world.freeze(pack_inclusion({3: Inclusion.UNAVAILABLE}))
    world.unmask()
    world.propose(without=[4])
    assert world.proposed is not None
    assert world.proposed.record.outcome == {"vanished": [4]}
    assert state_of(world) == clear_state(world, [1, 2, 3, 5])
    world.attest(*world.sites)
    world.finalize(stay=True)
    assert found(world.audit()) == []


def test_more_that_vanish_than_the_plan_reckons_with_leave_no_sum(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"masked": [4, 5]})
    world.mask()
    world.freeze()
    with pytest.raises(QuorumError, match="too few updates count"):
        world.unmask()


def test_too_few_shares_give_no_record(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"unmasking": [3, 4, 5]})
    world.collect()
    with pytest.raises(QuorumError, match="too few shares"):
        world.propose()


def other(shares: Mapping[SiteId, HeldShares]) -> Mapping[SiteId, HeldShares]:
    """Hand out the shares of another dealer in each one's place."""
    return dict(zip(shares, [*list(shares.values())[1:], next(iter(shares.values()))], strict=True))


def test_site_that_discloses_another_share_is_accused_and_the_round_holds(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.lies = {3: other}
    world.play()
    report = world.audit()
    assert set(found(report)) == {("share-is-another", 32, 3)}
    assert len(found(report)) == 4
    assert report.rounds[0].verdict is RoundVerdict.VERIFIED


def test_site_that_withholds_a_share_is_told_and_not_accused(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.lies = {3: lambda shares: {dealer: shares[dealer] for dealer in list(shares)[1:]}}
    world.play()
    report = world.audit()
    assert found(report) == []
    assert found(report, notices=True) == [("shares-withheld", 32, None)]


def test_site_that_discloses_for_another_set_is_accused(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.mask()
    world.freeze()
    frozen = world.frozen()
    fewer = {site: entry for site, entry in frozen.included.items() if site != 5}
    world.players.disclose(world.players.frozen(fewer), 2)
    world.players.disclose(frozen, 1, 3, 4, 5)
    world.propose()
    world.attest(*world.sites)
    world.finalize(stay=True)
    assert found(world.audit()) == [("disclosure-of-another-set", 32, 2)]


def test_dealer_of_another_key_than_advertised_is_accused_and_ends_the_attempt(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path, {"masked": [4]})
    # Site 4 advertises the mask key of site 5, deals shares of its own and vanishes.
    world.players.advertise(1, 2, 3, 5)
    stolen, own = world.players.secrets(5).public, world.players.secrets(4).public
    world.players.say(
        me.KeysAdvertised, site=SiteId(4), mask_key=stolen.mask, channel_key=own.channel
    )
    world.players.close_keys()
    world.players.deal(*world.sites)
    world.players.hold(*world.sites)
    for site in world.there("masked"):
        world.submit(site)
    world.close()
    world.freeze()
    world.unmask()
    with pytest.raises(AggregationError, match="of the key it advertised"):
        world.propose()
    assert ("dealing-false", 32, 4) in found(world.audit())


def test_shares_that_are_not_served_leave_the_round_unverifiable(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.mask()
    world.freeze()
    world.players.publish = lambda data: Locator(bytes([1]) * 32)
    world.unmask()
    world.propose()
    world.attest(*world.sites)
    world.finalize(stay=True)
    report = world.audit()
    assert report.rounds[0].verdict is RoundVerdict.UNVERIFIABLE
    assert {code for code, _, _ in found(report)} == {"blob-missing", "round-unverifiable"}
    assert all(accused is None for _, _, accused in found(report))


def test_proposal_of_another_set_accuses_its_proposer(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.collect()
    world.propose(by=3, inclusion=pack_inclusion({4: Inclusion.INVALID}))
    world.attest(*world.sites)
    world.finalize(stay=True)
    assert ("proposal-of-another-set", 33, 3) in found(world.audit())


def test_frozen_set_that_counts_what_is_no_update_has_no_right_proposal(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.mask(5, data=b"rubbish")
    world.freeze()
    world.unmask()
    with pytest.raises(AggregationError, match="is not that of the updates") as caught:
        world.propose()
    assert caught.value.expected == "1, 2, 3, 4"


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({"examples": 11}, Reason.WRONG_WEIGHT),
        ({"steps": 10**9}, Reason.WRONG_STEPS),
        ({"metrics": {"accuracy": "1"}, "evaluated": 5}, Reason.WRONG_METRICS),
    ],
)
def test_masked_update_that_says_what_is_not_so_is_invalid(
    tmp_path: Path, manifest: dict[str, Any], reason: Reason
) -> None:
    world = world_of(tmp_path)
    world.mask(5, **manifest)
    world.freeze(pack_inclusion({4: Inclusion.INVALID}))
    world.unmask()
    world.propose()
    assert world.proposed is not None
    assert world.proposed.verdicts[SiteId(5)].reason == reason
    world.attest(*world.sites)
    world.finalize(stay=True)
    assert found(world.audit()) == []


Break = Callable[[Masking], None]


def again(kind: type[me.MaskingEvent], **changes: Any) -> Break:
    """Say once more what was said last."""

    def repeat(world: Masking) -> None:
        last = next(each for each in reversed(world.players.events) if isinstance(each, kind))
        fields = {name: getattr(last, name) for name in type(last).__dataclass_fields__}
        fields.pop("log")
        world.emit(kind, **(fields | changes))

    return repeat


@pytest.mark.parametrize(
    ("breach", "problem"),
    [
        (again(me.KeysAdvertised), "after the keys were closed"),
        (again(me.KeysClosed), "closed twice"),
        (again(me.SharesDealt), "after sites had said what they hold"),
        (again(me.SharesHeld), "after masked updates had come"),
        (again(me.SetProposed, number=2), "after a set was frozen"),
        (again(me.SetAffirmed), "after a set was frozen"),
        (again(me.SetFrozen), "after a set was frozen"),
        (again(me.SharesDisclosed), "disclosed twice"),
        (again(me.SharesDisclosed, site=SiteId(9)), "outside the cohort"),
        (again(me.SharesDisclosed, attempt=7), "no such attempt"),
    ],
)
def test_act_that_the_contract_has_to_refuse_is_told(
    tmp_path: Path, breach: Break, problem: str
) -> None:
    world = world_of(tmp_path)
    world.collect()
    breach(world)
    report = world.audit()
    unlawful = [each for each in report.findings if each.code == "masking-act-unlawful"]
    assert [problem in each.message for each in unlawful] == [True]
    assert unlawful[0].accused is None


def test_set_frozen_with_too_few_affirmations_is_told(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"freezing": [3, 4, 5]})
    world.mask()
    world.freeze()
    messages = [each.message for each in world.audit().findings]
    assert "with fewer than 3 affirmations" in messages


def test_record_that_the_log_lacks_takes_accusations_back(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.lies = {3: other}
    world.play()
    dropped = next(each for each in world.events_seen if isinstance(each, me.SharesDisclosed))
    world.events_seen.remove(dropped)
    report = world.audit()
    codes = {code: accused for code, _, accused in found(report)}
    assert "masking-incomplete" in codes
    assert codes["share-is-another"] is None
