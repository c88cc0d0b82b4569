"""Amounts of money as people read them."""

from decimal import Decimal

__all__ = ["usd"]

_CENT = Decimal("0.01")


def usd(amount: Decimal) -> str:
    """`$1.20`; below ten cents with four digits, `$0.0280`."""
    return f"${amount:.4f}" if abs(amount) < 10 * _CENT and amount else f"${amount:.2f}"
