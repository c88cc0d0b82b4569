"""Amounts of money as people read and write them."""

from decimal import Decimal, InvalidOperation

import click

__all__ = ["Usd", "usd"]

_CENT = Decimal("0.01")


def usd(amount: Decimal) -> str:
    """`$1.20`; below ten cents with four digits, `$0.0280`."""
    return f"${amount:.4f}" if abs(amount) < 10 * _CENT and amount else f"${amount:.2f}"


class Usd(click.ParamType[Decimal]):
    """An option that takes an amount of money."""

    name = "USD"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The amount. Fails for what is none, and for one below nothing."""
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal(-1)
        if not amount.is_finite() or amount < 0:
            self.fail(f"{value} is no amount of money; give USD such as 25.00", param, ctx)
        return amount
