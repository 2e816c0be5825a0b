"""Read amounts of ether from a command line, exactly."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import click

_WEI_PER_ETHER = 10**18


class _Ether(click.ParamType[str]):
    name = "ether"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Accept a decimal number of ether, not negative."""
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number of ether", param, ctx)
        if not (number.is_finite() and 0 <= number < 10**9):
            self.fail(f"{value!r} is not a possible amount of ether", param, ctx)
        return str(value)


ETHER = _Ether()


def to_wei(ether: str) -> int:
    """Convert ether to wei; what is finer than a wei is cut off."""
    return int(Decimal(ether) * _WEI_PER_ETHER)


def to_ether(wei: int) -> str:
    """Write wei as ether, for a person."""
    return f"{Decimal(wei) / _WEI_PER_ETHER:.6f}"
