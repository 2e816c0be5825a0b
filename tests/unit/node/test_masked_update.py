"""What may be masked: one update in an attempt, and never the same one in two sums."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.update import Manifest
from fednet.errors import PrivacyError, TrainingError
from fednet.node.journal import Journal
from fednet.node.masked_update import require_new, write_masked
from fednet.privacy.masking import FixedPoint, Ring, SumNoise
from tests.masking_fixtures import PLACE, TEN, Array, Attempt
from tests.unit.node.test_journal import RUN, deployment
from tests.unit.node.views import attempt_key, pledge_of

FIRST, SECOND, LATER = attempt_key(1, 1), attempt_key(1, 2), attempt_key(2, 1)
ONE, OTHER = Commitment.of(b"one"), Commitment.of(b"other")
ROOT, BINDING = bytes(range(32)), b"the set"


def open_journal(folder: Path) -> Journal:
    return Journal(folder, deployment(), SiteId(1))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = open_journal(tmp_path)
    yield journal
    journal.close()


def test_journal_remembers_roots_what_was_masked_and_for_which_set(
    journal: Journal, tmp_path: Path
) -> None:
    journal.root(RUN, FIRST, ROOT)
    journal.mask(RUN, FIRST, ONE)
    journal.bind(RUN, FIRST, BINDING)
    journal.close()
    again = open_journal(tmp_path)
    notes = again.notes(RUN)
    assert notes.roots == {FIRST: ROOT}
    assert notes.masked == {FIRST: ONE}
    assert notes.bindings == {FIRST: BINDING}
    again.close()


def test_roots_do_not_stand_in_what_is_printed_of_the_notes(journal: Journal) -> None:
    journal.root(RUN, FIRST, ROOT)
    assert repr(ROOT) not in repr(journal.notes(RUN))
    assert ROOT.hex() not in repr(journal.notes(RUN))


def test_what_was_masked_in_an_attempt_may_be_masked_in_it_again(journal: Journal) -> None:
    journal.mask(RUN, FIRST, ONE)
    require_new(journal.notes(RUN), FIRST, ONE, {FIRST})


def test_another_update_in_the_same_masks_is_refused(journal: Journal) -> None:
    journal.mask(RUN, FIRST, ONE)
    # As long as nothing of it has left, it may be trained anew.
    require_new(journal.notes(RUN), FIRST, OTHER, frozenset())
    journal.pledge(RUN, FIRST, pledge_of(1))
    with pytest.raises(TrainingError, match="another update was masked") as caught:
        require_new(journal.notes(RUN), FIRST, OTHER, frozenset())
    assert (caught.value.expected, caught.value.actual) == (ONE, OTHER)
    assert caught.value.hint


def test_update_of_an_attempt_in_which_shares_were_disclosed_is_masked_no_second_time(
    journal: Journal,
) -> None:
    journal.mask(RUN, FIRST, ONE)
    require_new(journal.notes(RUN), SECOND, ONE, frozenset())
    journal.bind(RUN, FIRST, BINDING)
    for key in (SECOND, LATER):
        with pytest.raises(TrainingError, match="was in a sum") as caught:
            require_new(journal.notes(RUN), key, ONE, frozenset())
        assert "batch_size" in caught.value.hint
    require_new(journal.notes(RUN), SECOND, OTHER, frozenset())


def test_update_of_an_attempt_whose_sum_others_unmasked_is_masked_no_second_time(
    journal: Journal,
) -> None:
    journal.mask(RUN, FIRST, ONE)
    with pytest.raises(TrainingError, match="was in a sum"):
        require_new(journal.notes(RUN), SECOND, ONE, {FIRST})


def test_noisy_update_that_was_committed_to_is_masked_no_second_time(journal: Journal) -> None:
    journal.mask(RUN, FIRST, ONE)
    require_new(journal.notes(RUN), FIRST, ONE, frozenset(), noisy=True)
    journal.pledge(RUN, FIRST, pledge_of(1))
    require_new(journal.notes(RUN), FIRST, ONE, frozenset())
    # Noise is drawn anew: the same values would be other bytes in the same masks.
    with pytest.raises(TrainingError, match="another update was masked"):
        require_new(journal.notes(RUN), FIRST, ONE, frozenset(), noisy=True)


def test_noise_is_drawn_anew_for_every_file_and_nobody_can_foretell_it(tmp_path: Path) -> None:
    attempt = Attempt.begin(TEN)
    attempt.deal(TEN)
    attempt.hold(TEN)
    dealers, site, count = attempt.close(), SiteId(1), 5_000
    fixed_point = FixedPoint.fit(
        Ring.BITS_32, Decimal(1), 1_000, 10, clips=True,
        noise=SumNoise(Decimal(1), Decimal(1), 7),
    )  # fmt: skip
    manifest = Manifest(PLACE, site, ONE, 10, Digest(bytes(32)))
    values: Any = Array(np.zeros(count, np.float32))
    written = []
    for name in ("one", "other"):
        path = tmp_path / name
        commitment = write_masked(
            path, values, manifest, dealers, attempt.secrets[site], fixed_point
        )
        data = path.read_bytes()
        assert Commitment.of(data) == commitment
        written.append(np.frombuffer(data[-4 * count :], np.uint32))
    # The same masks: what is left is one noise minus another.
    difference = (written[0] - written[1]).view(np.int32).astype(np.float64)
    deviation = math.sqrt(2 * fixed_point.noise_share)
    assert np.std(difference) == pytest.approx(deviation, rel=0.1)


def test_update_that_noise_cannot_hide_leaves_no_file(tmp_path: Path) -> None:
    attempt = Attempt.begin(TEN)
    attempt.deal(TEN)
    attempt.hold(TEN)
    noise = SumNoise(Decimal(1), Decimal(1), 7)
    fixed_point = FixedPoint.fit(Ring.BITS_32, Decimal(1), 10, 10, clips=True, noise=noise)
    manifest = Manifest(PLACE, SiteId(1), ONE, 10, Digest(bytes(32)))
    values: Any = Array(np.ones(2, np.float32))
    with pytest.raises(PrivacyError, match="longer than its noise"):
        write_masked(
            tmp_path / "one", values, manifest, attempt.close(), attempt.secrets[SiteId(1)],
            fixed_point,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
