"""The stages of a masked attempt: who acted, who vanished where, and what was unmasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fednet.domain.identity import SiteId
from fednet.explorer.pages.reading import left_out
from fednet.explorer.window import Window
from fednet.provenance import MaskAct, MaskActRow, RoundRow
from fednet.provenance.listings import Filters

_MOST_ACTS = 10_000
"""Of an attempt: seven for each of more sites than one takes part."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What sites did at one stage."""

    name: str
    acted: int
    awaited: int
    """By the end of the stage before."""
    vanished: tuple[SiteId, ...]
    """Who was awaited and has not acted, as far as the ledger names them."""


@dataclass(frozen=True, slots=True)
class FrozenSet:
    """The set that members agreed on, once they have."""

    number: int
    affirmed: int
    included: int


@dataclass(frozen=True, slots=True)
class MaskedAttempt:
    """How an attempt's masks stand."""

    attempt: int
    stages: tuple[Stage, ...]
    frozen: FrozenSet | None
    sets: int
    """That were proposed."""
    opened: tuple[SiteId, ...]
    """Who dealt and does not count: members disclosed shares of their mask keys."""


def masked_attempt(window: Window, row: RoundRow) -> MaskedAttempt | None:
    """Read the masks of the attempt that counts; None where nothing is masked."""
    of_attempt = Filters(run=row.run, round_number=row.round, attempt=row.attempt)
    acts = window.index.mask_acts(limit=_MOST_ACTS, **of_attempt)
    if not acts:
        return None
    updates = window.index.updates(limit=_MOST_ACTS, **of_attempt)
    by = partial(_sites, acts)
    advertised, dealt, held = by(MaskAct.ADVERTISED), by(MaskAct.DEALT), by(MaskAct.HELD)
    submitted = frozenset(each.site for each in updates)
    stages = [
        Stage("keys advertised", len(advertised), row.cohort, ()),
        _stage("shares dealt", dealt, advertised),
        _stage("shares held", held, dealt),
        _stage("masked updates handed in", submitted, held),
    ]
    frozen = _frozen(acts, len(submitted))
    if frozen is not None:
        stages.append(_stage("shares disclosed", by(MaskAct.DISCLOSED), held))
    counted = frozenset(each.site for each in updates if each.verdict == "included")
    is_told = frozen is not None and bool(counted)
    return MaskedAttempt(
        row.attempt,
        tuple(stages),
        frozen,
        sum(each.act is MaskAct.PROPOSED for each in acts),
        tuple(sorted(dealt - counted)) if is_told else (),
    )


def _sites(acts: Sequence[MaskActRow], act: MaskAct) -> frozenset[SiteId]:
    return frozenset(each.site for each in acts if each.act is act and each.site is not None)


def _stage(name: str, acted: frozenset[SiteId], awaited: frozenset[SiteId]) -> Stage:
    return Stage(name, len(acted), len(awaited), tuple(sorted(awaited - acted)))


def _frozen(acts: Sequence[MaskActRow], submitted: int) -> FrozenSet | None:
    number = next((each.number for each in acts if each.act is MaskAct.FROZEN), None)
    if number is None:
        return None
    of_set = [each for each in acts if each.number == number]
    inclusion = next((e.inclusion for e in of_set if e.act is MaskAct.PROPOSED), None) or b""
    affirmed = sum(each.act is MaskAct.AFFIRMED for each in of_set)
    return FrozenSet(number, affirmed, submitted - left_out(inclusion))
