from __future__ import annotations

import pytest

from fednet.learning.partition import Split, bundled_csv, even, hospitals
from fednet.learning.tasks import breast_cancer


def _rows(split: Split) -> list[str]:
    return [line for site in (*split.sites, split.held_out) for line in site]


@pytest.mark.parametrize("count", [2, 4, 10])
def test_hospitals_use_every_record_once(count: int) -> None:
    split = hospitals(count, seed=3)
    assert sorted(_rows(split)) == sorted(bundled_csv("breast-cancer").splitlines()[1:])
    assert len(split.sites) == count


def test_hospitals_differ_in_size_and_in_rate() -> None:
    split = hospitals()
    sizes = [len(site) for site in split.sites]
    rates = [sum(line.endswith(",1") for line in site) / len(site) for site in split.sites]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 3 * sizes[-1]
    assert rates == sorted(rates)
    assert rates[0] < 0.2
    assert rates[-1] > 0.7


def test_hospitals_repeat_with_their_seed() -> None:
    assert hospitals(seed=1) == hospitals(seed=1)
    assert hospitals(seed=1).held_out != hospitals(seed=2).held_out


def test_even_deals_equal_shares() -> None:
    split = even("digits", 10)
    assert {len(site) for site in split.sites} <= {125, 126}
    assert len(_rows(split)) == 1797


def test_impossible_splits_are_refused() -> None:
    for call in (
        lambda: hospitals(1),
        lambda: hospitals(4, held_out_share=1.0),
        lambda: even("iris", 3),
        lambda: even("digits", 0),
    ):
        with pytest.raises(ValueError, match="share"):
            call()


def test_bundled_records_have_the_columns_the_task_asks_for() -> None:
    lines = bundled_csv("breast-cancer").splitlines()
    assert lines[0].split(",") == [*breast_cancer.FEATURES, breast_cancer.LABEL]
    assert len(lines) == 570
    assert sum(line.endswith(",1") for line in lines[1:]) == 212
