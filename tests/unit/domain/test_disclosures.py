"""Privacy losses as the ledger counts them: rounded up, never down."""

from __future__ import annotations

from decimal import Decimal

import pytest

from fednet.domain.disclosures import NO_LOSS, PrivacyLoss
from fednet.errors import LedgerError

MOST_MICRO = "281474976.710655"


@pytest.mark.parametrize(
    ("epsilon", "delta", "counted"),
    [
        ("0", "0", (0, 0)),
        ("3", "1e-5", (3_000_000, 10_000_000)),
        ("0.1234561", "1.0000000000000001e-12", (123_457, 2)),
        ("1e-40", "1e-999999", (1, 1)),
        ("2.9999999999999999999999999999999999999", "0", (3_000_000, 0)),
        ("3." + "0" * 60 + "1", "0", (3_000_001, 0)),
        (MOST_MICRO, "1", ((1 << 48) - 1, 10**12)),
    ],
)
def test_losses_are_rounded_up(epsilon: str, delta: str, counted: tuple[int, int]) -> None:
    loss = PrivacyLoss.of(Decimal(epsilon), Decimal(delta))
    assert (loss.epsilon_micro, loss.delta_pico) == counted
    assert loss.epsilon >= Decimal(epsilon)
    assert loss.delta >= Decimal(delta)


@pytest.mark.parametrize("value", ["-1e-20", "NaN", "Infinity", "281474976.7106551", "1e99"])
def test_losses_that_cannot_be_counted_are_refused(value: str) -> None:
    for name, loss in (("epsilon", (value, "0")), ("delta", ("0", value))):
        with pytest.raises(LedgerError) as caught:
            PrivacyLoss.of(*map(Decimal, loss))
        assert caught.value.subject == name


def test_losses_add_up_and_compare_in_both_numbers() -> None:
    one, two = PrivacyLoss(1, 20), PrivacyLoss(2, 10)
    assert one + two == PrivacyLoss(3, 30)
    assert (one + two) - one == two
    assert not one.is_within(two)
    assert not two.is_within(one)
    assert NO_LOSS.is_within(NO_LOSS)
    assert one.is_within(PrivacyLoss(1, 20))


def test_losses_are_written_as_numbers() -> None:
    loss = PrivacyLoss.of(Decimal("2.50"), Decimal("1e-5"))
    assert str(loss) == "epsilon 2.5, delta 0.00001"
    assert str(NO_LOSS) == "epsilon 0, delta 0"
    assert str(PrivacyLoss.of(Decimal(100), Decimal(0))) == "epsilon 100, delta 0"
