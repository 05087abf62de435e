"""Decimals as people and JSON write them."""

from decimal import Decimal
from functools import lru_cache


@lru_cache(maxsize=4096)
def plain(value: Decimal) -> str:
    """No exponent and no trailing zeros: "20", "58.374271", "0"; never "-0"."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
