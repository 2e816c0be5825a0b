"""Tasks that ship with fednet, by name; importing this package loads no torch."""

from __future__ import annotations

BUILT_IN = {
    "breast-cancer": ("breast_cancer", "BreastCancer"),
    "digits": ("digits", "Digits"),
    "digits-conv": ("digits_conv", "DigitsConv"),
}
"""Name in a plan to module in this package and class in it."""
