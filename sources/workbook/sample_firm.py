"""The sample firm of `hourstream init`: small, sound, and billing in two countries, so that a person overwrites it."""

from importlib.resources import files
from typing import Any

import yaml

from sources.workbook.tax_rates import tax_rules
from topics import topic_names

Firm = dict[str, list[dict[str, Any]]]


def sample_firm() -> Firm:
    """{topic: records in JSON form, without what publishing gives}."""
    text = files("sources.workbook").joinpath("sample_firm.yaml").read_text(encoding="utf-8")
    # Every scalar stays text: what YAML would make of a date or a number is not the form of a record.
    held: Firm = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the base loader makes texts, lists and maps only
    return {**held, topic_names.MASTER_TAX_RULES: list(tax_rules())}
