"""Decides which parts of a record a user may see: one function for pages, files, API and command line.

Without the right to see rates every amount is removed, and every field that reveals one: derivations, components,
lineage, the texts of an expense or an adjustment, and any text with a figure that may be an amount. Fields are hidden
unless known to be harmless: a decimal number is an amount unless its field is listed here.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Protocol, TypeVar

T = TypeVar("T")
HIDDEN = "hidden: it names amounts"

OPEN_DECIMALS = frozenset({"tax_rate"})
# Fields that always reveal an amount; null for users who may not see it.
TELLING = frozenset(
    {"amount", "rate_unit", "derivation", "components", "lineage", "stakes", "told", "estimated", "cards"}
)
# Texts of people and of rules, which may name an amount.
WORDS = frozenset({"message", "what", "reason", "posting_reason", "void_reason", "note", "notes", "description"})
# Codes whose messages always name amounts, and stages whose texts do.
_CODES = ("CAP_EXCEEDED", "EXPENSE_OVER_LIMIT", "RECEIPT_MISSING")
_STAGES = frozenset({"charge", "reversal", "fact", "source"})
_HARMLESS = re.compile(r"[+-]?\d[\d.,]*\s?(?:min|minutes|hours|h|days?|times)\b|\b(?:revision|line) \d+\b")
_FIGURE = re.compile(
    r"\d[.,'’٫]\d"  # 777.77 and 1,000
    r"|(?<![^\W\d_])[A-Z]{3}(?:\s?|\s[+-])\d|\d\s?[A-Z]{3}(?![^\W_])"  # EUR 777
    r"|(?<![\w:/@#.\[-])\d+(?:\s\d{3})*(?![\w:/@\]-])"  # a separate number: not part of an id, a day or a time
)


class Rights(Protocol):
    """The user of a view, with the rights to see rates and names."""

    @property
    def sees_rates(self) -> bool:
        """Whether the user sees rates, costs and amounts."""
        ...


def visible(thing: T, user: Rights) -> T:
    """The record, or the records in lists, tuples and mappings, as this user may see them; amounts are None."""
    return thing if user.sees_rates else _without_amounts(thing)  # type: ignore[return-value]  # the same kind of thing


def names_figures(text: str) -> bool:
    """Whether a text has a figure that may be an amount; minutes, days, dates and parts of ids are none."""
    plain = unicodedata.normalize("NFKC", text)
    if any(unicodedata.category(letter) == "Sc" for letter in plain) or any(code in plain for code in _CODES):
        return True
    return _FIGURE.search(_HARMLESS.sub("", plain)) is not None


def _without_amounts(thing: object) -> object:
    if isinstance(thing, Decimal):
        return None
    if isinstance(thing, Mapping):
        return _fields({str(name): value for name, value in thing.items()})
    if isinstance(thing, tuple) and hasattr(thing, "_make"):
        return thing._make(map(_without_amounts, thing))
    if isinstance(thing, list | tuple):
        return type(thing)(map(_without_amounts, thing))
    if is_dataclass(thing) and not isinstance(thing, type):
        return replace(thing, **_fields({each.name: getattr(thing, each.name) for each in fields(thing)}))
    return thing


def _fields(said: Mapping[str, object]) -> dict[str, object]:
    """The fields of one record; neighbouring fields decide together whether a text reveals an amount."""
    telling = said.get("code") in _CODES or _is_telling_step(said)
    return {name: _field(name, value, telling) for name, value in said.items()}


def _field(name: str, value: object, telling: bool) -> object:
    if name in TELLING:
        return None
    if name in OPEN_DECIMALS:
        return value
    if name in WORDS and isinstance(value, str):
        return HIDDEN if value and (telling or names_figures(value)) else value
    return _without_amounts(value)


def _is_telling_step(said: Mapping[str, object]) -> bool:
    """A derivation names rates; the text of an expense or adjustment names its cost. Entries have minutes."""
    stage = said.get("stage")
    return stage in _STAGES and not (stage in ("fact", "source") and "time.entries" in str(said.get("where")))
