"""Which tax treatment a subject's day has (DOMAIN.md §2 rule 12). Tax amounts are the invoice's business."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from common.decimals import plain
from rating.model.charge import MasterRef, Missing
from rating.model.days import is_valid
from rating.model.lookups import Lookups
from rating.model.master_data import Client, TaxRule
from rating.model.rating_context import Contract, Rejection
from rating.vat_ids import EU_COUNTRIES, is_vat_id

_NO_PERCENT = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tax:
    """An EN 16931 category and its rate in percent, the rule it comes from, and why in words."""

    category: str
    rate: Decimal
    rule: MasterRef | None
    why: str


_REVERSE_CHARGE = Tax("AE", _NO_PERCENT, None, "tax AE 0 %: the client's country charges it (both in the EU)")
_OUT_OF_SCOPE = Tax("O", _NO_PERCENT, None, "tax O 0 %: client and seller are not in one tax area")


def tax_on(contract: Contract, lookups: Lookups, day: date) -> Tax | Rejection:
    """The tax treatment of a day, or INVALID_VAT_ID or NO_TAX_RULE."""
    engagement, client = contract.engagement, contract.client
    override = engagement.tax_override
    if override is not None:
        why = f"tax {override.category} {plain(override.rate)} % agreed for the engagement"
        return Tax(override.category, override.rate, None, why)
    if engagement.seller_country == client.country:
        return _rule_of(client.tax_jurisdiction, lookups, day)
    if engagement.seller_country in EU_COUNTRIES and client.country in EU_COUNTRIES:
        if not client.vat_id:
            return _rule_of(engagement.seller_tax_jurisdiction, lookups, day)
        return _REVERSE_CHARGE if is_vat_id(client.vat_id, client.country) else _invalid_vat_id(client)
    return _OUT_OF_SCOPE


def _invalid_vat_id(client: Client) -> Rejection:
    message = f"VAT id {client.vat_id} of client {client.client_id} has not the form of {client.country}."
    return Rejection("INVALID_VAT_ID", message, Missing("vat_id", client.client_id, None))


def _rule_of(jurisdiction: str, lookups: Lookups, day: date) -> Tax | Rejection:
    for rule in lookups.tax_rules(jurisdiction):
        if is_valid(day, rule.valid_from, rule.valid_to):
            return _tax_of(rule)
    missing = Missing("tax_rule", jurisdiction, day)
    return Rejection("NO_TAX_RULE", f"No tax rule of {jurisdiction} is valid on {day}.", missing)


def _tax_of(rule: TaxRule) -> Tax:
    why = f"tax {rule.category} {plain(rule.rate)} % by rule {rule.tax_rule_id} of {rule.jurisdiction}"
    return Tax(rule.category, rule.rate, MasterRef("tax_rule", rule.tax_rule_id, rule.revision), why)
