"""Days, money and exchange rates (DOMAIN.md, Conventions, §2 E3 and appendices B and C)."""

import re
from datetime import date
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

Rec = dict[str, Any]

DIGITS = dict.fromkeys(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
        "BYR",
    ],
    0,
)
DIGITS |= dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3) | dict.fromkeys(("CLF", "UYW"), 4)
VAT = """ATU99999999 BE0999999999,BE1999999999 BG999999999,BG9999999999 CY99999999A CZ99999999,CZ999999999,CZ9999999999
DE999999999 DK99999999 EE999999999 EL999999999 ESA9999999X,ES99999999A FI99999999 FRYY999999999 HR99999999999 HU99999999
IE9999999A,IE9999999AA,IE9#99999A IT99999999999 LT999999999,LT999999999999 LU99999999 LV99999999999 MT99999999
NL999999999b99 PL9999999999 PT999999999
RO99,RO999,RO9999,RO99999,RO999999,RO9999999,RO99999999,RO999999999,RO9999999999
SE999999999999 SI99999999 SK9999999999"""
SIGNS = {"9": "[0-9]", "A": "[A-Z]", "X": "[0-9A-Z]", "Y": "(?![IO])[0-9A-Z]", "#": "[A-Z+*]", "b": "B"}
EU = {"GR" if form.startswith("EL") else form[:2] for form in VAT.split()}


def is_vat_id(text: str, country: str) -> bool:
    cleaned = re.sub(r"[ .\-]", "", text).upper()
    prefix = "EL" if country == "GR" else country
    forms = [form for group in VAT.split() for form in group.split(",") if form.startswith(prefix)]
    return any(
        re.fullmatch(prefix + "".join(SIGNS.get(sign, sign) for sign in form[2:]), cleaned) is not None
        for form in forms
    )


def rounded(amount: F, currency: str) -> F:
    unit = F(1, 10 ** DIGITS.get(currency, 2))
    whole, rest = divmod(abs(amount), unit)
    size = (whole + (1 if rest * 2 >= unit else 0)) * unit
    return -size if amount < 0 else size


def written(amount: F, currency: str) -> str:
    digits = DIGITS.get(currency, 2)
    units = int(abs(amount) * 10**digits)
    text = str(units).rjust(digits + 1, "0")
    if digits:
        text = f"{text[:-digits]}.{text[-digits:]}"
    return f"-{text}" if amount < 0 else text


def short(number: Decimal) -> str:
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def valid(record: Rec, day: date) -> bool:
    return record["valid_from"] <= day and (record.get("valid_to") is None or day < record["valid_to"])


def month(day: date) -> str:
    return day.isoformat()[:7]


def days_of(period: str) -> list[date] | None:
    """The days of a month, or None for a text that is no month."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", period) or period[:4] == "0000" or not 1 <= int(period[5:]) <= 12:
        return None
    found = []
    for number in range(1, 32):
        try:
            found.append(date(int(period[:4]), int(period[5:]), number))
        except ValueError:
            break
    return found


def exchange(rates: list[Rec], base: str, quote: str, day: date) -> F | None:
    if base == quote:
        return F(1)
    direct = _leg(rates, base, quote, day)
    if direct is not None:
        return direct
    for through in ("EUR", "USD"):
        if through not in (base, quote):
            one, two = _leg(rates, base, through, day), _leg(rates, through, quote, day)
            if one is not None and two is not None:
                return one * two
    return None


def _leg(rates: list[Rec], base: str, quote: str, day: date) -> F | None:
    for a, b, inverse in ((base, quote, False), (quote, base, True)):
        fresh = [r for r in rates if (r["base"], r["quote"]) == (a, b) and 0 <= (day - r["date"]).days <= 31]
        if fresh:
            rate = F(max(fresh, key=lambda r: r["date"])["rate"])
            return 1 / rate if inverse else rate
    return None
