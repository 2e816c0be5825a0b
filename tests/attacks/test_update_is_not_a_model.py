"""A site hands in bytes that are no update of this model.

Lie: "these bytes are an update". Found by the intake, which reads them as
numbers and nothing else: the site loses the round, nobody else loses anything.
Bytes above the size cap are never fetched whole.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable

import numpy as np

from fednet.codec.update import update_size_limit_bytes
from fednet.domain.identity import Commitment, RoundNumber
from fednet.domain.ledger import Phase
from fednet.domain.tensors import FloatArray, encode_tensors
from fednet.domain.update import STATE_METADATA
from tests.attacks import lies
from tests.attacks.doubles import difference
from tests.attacks.lie import Found, LeftOut, Liar, Lie
from tests.attacks.lies import Update
from tests.attacks.network import Member, Network, Run
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "Bytes are handed in that are no update of the model",
    Liar.SITE,
    (
        LeftOut("malformed"),
        LeftOut("wrong-layout"),
        LeftOut("not-finite"),
        LeftOut("norm-exceeded"),
        Found("update-withheld", 10),
    ),
)


Arrays = dict[str, FloatArray]
WHOLE_MODEL = encode_tensors(difference(0, 0), STATE_METADATA)


class Bomb:
    """Ask whoever unpickles it to run a command."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, ("exit 1",)


def with_value(value: float) -> Callable[[Arrays], Arrays]:
    """Put one value into the last tensor."""

    def change(arrays: Arrays) -> Arrays:
        arrays["weight"][0, 0] = value
        return arrays

    return change


BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda data: data[:-1], "malformed"),
    "one byte": (lambda data: data[:1], "malformed"),
    "trailing byte": (lambda data: data + b"\0", "malformed"),
    "pickle": (lambda data: pickle.dumps(Bomb()), "malformed"),
    "header longer than the file": (lambda data: b"\xff" * 8 + data[8:], "malformed"),
    "header that lies of its offsets": (
        lambda data: data.replace(b'"data_offsets":[0,8]', b'"data_offsets":[8,8]'), "malformed"
    ),
    "float64": (lambda data: data.replace(b'"F32"', b'"F64"'), "malformed"),
    "a state": (lambda data: WHOLE_MODEL, "malformed"),
}  # fmt: skip
ARRAYS: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "not a number": (with_value(np.nan), "not-finite"),
    "infinite": (with_value(-np.inf), "not-finite"),
    "beyond the norm": (with_value(1e30), "norm-exceeded"),
    "other shape": (lambda arrays: arrays | {"weight": arrays["weight"].T}, "wrong-layout"),
    "extra tensor": (lambda arrays: arrays | {"zeal": np.ones(1, np.float32)}, "wrong-layout"),
    "missing tensor": (lambda arrays: {"bias": arrays["bias"]}, "wrong-layout"),
    "other name": (lambda arrays: {"b": arrays["bias"], "w": arrays["weight"]}, "wrong-layout"),
    "transposed name": (
        lambda arrays: {"bias": arrays["weight"], "weight": arrays["bias"]}, "wrong-layout"
    ),
}  # fmt: skip


def make(kind: str, liar: Member, run: Run, round_number: int, base: Commitment) -> Update:
    """Make what is no update, for a round."""
    place = run.place(round_number)
    if kind in ARRAYS:
        arrays = ARRAYS[kind][0](difference(liar.site, round_number))
        return lies.update(liar, place, base=base, arrays=arrays)
    right = lies.update(liar, place, base=base).path.read_bytes()
    wrong = BYTES[kind][0](right)
    assert wrong != right
    return lies.of_bytes(liar, wrong)


def test_what_is_no_update_costs_its_site_the_round(network: Network) -> None:
    """Four liars beside five honest sites, whose turns come in all of the rounds."""
    kinds = iter([*BYTES, *ARRAYS])
    members = network.members(9)
    liars, honest = [*members[:3], members[8]], members[3:8]
    expected: dict[tuple[int, int], str] = {}
    with network.open(members, rounds=4) as run:
        run.start(*honest)
        for number in range(1, 5):
            run.reach(Phase.COLLECTING, number)
            base = Commitment.of(lies.BASE)
            if number > 1:
                final = run.history.rounds[RoundNumber(number - 1)].final_proposal
                assert final is not None
                base = final.proposed.state
            for liar in liars:
                kind = next(kinds)
                expected[number, liar.site] = (BYTES.get(kind) or ARRAYS[kind])[1]
                update = make(kind, liar, run, number, base)
                lies.submit_and_reveal(liar, run, update, number)
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert next(kinds, None) is None
    assert report.verified
    said = {
        (result.round, entry.site): entry.reason
        for result in report.rounds
        for entry in result.sites
        if entry.verdict == "invalid"
    }
    assert said == expected
    for reason in said.values():
        LIE.saw(LeftOut(reason))
    for result in report.rounds:
        earned = {entry.site: entry.earned for entry in result.sites}
        assert sum(earned[each.site] for each in honest) == run.plan.credits.per_round


def test_oversized_update_is_left_where_it_is(network: Network) -> None:
    members = network.members()
    liar, *honest = members
    with network.open(members) as run:
        run.start(*honest)
        size_bytes = update_size_limit_bytes(run.plan) + 1
        lies.submit_and_reveal(liar, run, lies.of_bytes(liar, bytes(size_bytes)))
        run.reach(Phase.PROPOSING)
        run.wait_held(honest, honest)
        run.pass_reveal()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert report.verified
    LIE.found(report)
    said = {entry.site: entry.verdict for entry in report.rounds[0].sites}
    assert said == {each.site: "included" for each in honest} | {liar.site: "unavailable"}


def test_honest_bytes_are_an_update(network: Network) -> None:
    require_honest_round(network)
