"""What may be masked: one update in an attempt, and never the same one in two sums."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fednet.domain.identity import Commitment, SiteId
from fednet.errors import TrainingError
from fednet.node.journal import Journal
from fednet.node.masked_update import require_new
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
