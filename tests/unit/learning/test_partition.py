from __future__ import annotations

from collections import Counter

import pytest

from fednet.learning.partition import Split, bundled_csv, dirichlet, even, hospitals
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


def _commonest_share(split: Split) -> float:
    """Return the mean, over sites, of the commonest digit's share."""
    labels = [[line.rsplit(",", 1)[1] for line in site] for site in split.sites]
    shares = [max(Counter(site).values()) / len(site) for site in labels]
    return sum(shares) / len(shares)


def test_dirichlet_deals_every_record_once_and_skews_the_classes() -> None:
    split = dirichlet("digits", 10, 0.1, seed=3)
    assert sorted(_rows(split)) == sorted(bundled_csv("digits").splitlines()[1:])
    assert min(len(site) for site in split.sites) >= 2
    assert _commonest_share(split) > 0.5
    assert _commonest_share(dirichlet("digits", 10, 1_000.0, seed=3)) < 0.2


def test_dirichlet_repeats_for_a_seed_and_leaves_no_site_without_records() -> None:
    split = dirichlet("digits", 200, 0.05, 7)
    assert split == dirichlet("digits", 200, 0.05, 7)
    assert min(len(site) for site in split.sites) == 2
    with pytest.raises(ValueError, match="too few"):
        dirichlet("digits", 1_000, 0.3)
