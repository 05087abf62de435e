"""Every code an exception can have, the section it comes from, which records heal it, and how; reasons of charges too.

The catalogue of topics names the owner of each topic: that owner answers for the code.
"""

from dataclasses import dataclass

from rating.model.facts import FACT_TYPES
from rating.model.master_records import MASTER_TYPES

_FACTS = tuple(topic for topic in FACT_TYPES if topic != "exception.decisions")
_STATUSES = ("source.billing.statuses",)


@dataclass(frozen=True, slots=True)
class Code:
    """`section` as the law names it; `topics` hold the records that heal it."""

    section: str
    topics: tuple[str, ...]
    heals: str


CODES: dict[str, Code] = {
    "INVALID": Code("§2 rule 1", _FACTS, "a corrected revision of the record, from where it comes"),
    "UNKNOWN_ENGAGEMENT": Code("§2 rule 1", ("master.engagements",), "the engagement is published"),
    "UNKNOWN_CLIENT": Code("§2 rule 1", ("master.clients",), "the client is published"),
    "ENGAGEMENT_NOT_ACTIVE": Code(
        "§2 rule 1", ("master.engagements",), "the engagement is no draft any more, or its hold begins after the day"
    ),
    "OUTSIDE_CONTRACT_DATES": Code(
        "§2 rule 1", ("master.engagements",), "the contract's dates include the day, or the record gets another day"
    ),
    "PERIOD_CLOSED": Code(
        "§2 rule 14", ("billing.periods",), "the month is opened again, or closed anew at a later time"
    ),
    "UNKNOWN_TASK": Code(
        "§2 rule 2", ("master.tasks",), "the task is published for this engagement, or the entry names another"
    ),
    "TASK_CLOSED": Code("§2 rule 2", ("master.tasks",), "the task closes later, or the entry names another"),
    "UNKNOWN_CONSULTANT": Code("§2 rule 2", ("master.consultants",), "the consultant is published"),
    "DAY_OVER_24H": Code(
        "§2 rule 2", ("time.entries",), "entries of that day are corrected until they come to 24 hours"
    ),
    "UNKNOWN_CALENDAR": Code("§2 rule 2", ("master.calendars",), "the calendar is published"),
    "UNKNOWN_RATE_CARD": Code(
        "§2 rule 5", ("master.rate-cards",), "the card is published, or who names it names another"
    ),
    "NO_LABOR_CATEGORY": Code(
        "§2 rule 5",
        ("master.consultants", "master.tasks"),
        "the consultant gets a grade for the day, or the task a category",
    ),
    "NO_RATE": Code("§2 rule 5", ("master.rate-cards",), "a card gets a line that matches, valid on that day"),
    "AMBIGUOUS_RATE": Code(
        "§2 rule 5", ("master.rate-cards",), "of equally specific lines one is taken out, or begins on another day"
    ),
    "CAP_EXCEEDED": Code("§2 rule 11", ("master.engagements",), "the cap is raised, or earlier work is credited"),
    "INVALID_VAT_ID": Code(
        "§2 rule 12", ("master.clients",), "the client's VAT id gets the form of its country, or is taken out"
    ),
    "NO_TAX_RULE": Code("§2 rule 12", ("master.tax-rules",), "a rule of the jurisdiction is valid on that day"),
    "UNKNOWN_EXPENSE_POLICY": Code("§2, Expenses", ("master.expense-policies",), "the policy is published"),
    "EXPENSE_CATEGORY_NOT_ALLOWED": Code(
        "§2, Expenses", ("master.expense-policies",), "the policy allows the category, or the expense has another"
    ),
    "RECEIPT_MISSING": Code("§2, Expenses", ("expenses",), "a revision of the expense has its receipt"),
    "EXPENSE_OVER_LIMIT": Code(
        "§2, Expenses", ("master.expense-policies",), "the policy's limit is raised, or the expense corrected"
    ),
    "NO_PER_DIEM": Code(
        "§2, Expenses",
        ("master.per-diems", "expenses"),
        "a rate of the place is valid that day, or the expense gets its place",
    ),
    "NO_FX_RATE": Code(
        "§2, Expenses", ("master.fx-rates",), "a rate of the pair, or of both to EUR or USD, of the 31 days before"
    ),
    "UNKNOWN_MILESTONE": Code("§2, Milestones", ("master.engagements",), "the engagement's terms have the milestone"),
    "UNKNOWN_METRIC": Code("§2, Outcomes", ("master.engagements",), "the engagement's terms have the metric"),
    "UNKNOWN_SUBJECT": Code("§2, Adjustments", ("time.entries",), "any revision of the entry that is adjusted"),
    "SAME_REVISION_DIFFERENT_CONTENT": Code(
        "§1", (*MASTER_TYPES, *_FACTS), "a higher revision of the record; until then the first seen stands"
    ),
    "OVERLAPPING_TIME": Code(
        "§2 rule 16", ("time.entries",), "by itself, once one of the entries is corrected or withdrawn; a warning"
    ),
    "PERSON_DAY_OVER_24H": Code(
        "§2 rule 16", ("time.entries",), "by itself, once the person's day has at most 24 hours; a warning"
    ),
    "SETTLEMENT_FAILED": Code(
        "DESIGN §4",
        (*MASTER_TYPES, *_FACTS),
        "the defect is mended; then a start, a changed master or any record of it",
    ),
    "UNMAPPED_CODE": Code("§3", ("master.code-map",), "the code is mapped: `hourstream exceptions map`"),
    "INVOICE_INVALID": Code(
        "§4",
        ("master.clients", "master.legal-entities"),
        "what the document lacks is published, and the next run issues it",
    ),
    "UNMAPPABLE": Code(
        "DESIGN §1", ("master.code-map",), "the source sends a corrected record, or its mapping file is mended"
    ),
    "POSSIBLE_DUPLICATE": Code(
        "DESIGN §1",
        ("source.reviews", "billing.holds"),
        "a person decides: `hourstream exceptions decide`; until then it is not billed",
    ),
    "PROPOSED_CORRECTION": Code(
        "DESIGN §1", ("source.reviews",), "a person decides: `hourstream exceptions decide`; until then it stays billed"
    ),
    "ERP_REFUSED": Code("§3", ("erp.postings",), "it is mended there, then `hourstream deliveries replay`"),
    "ERP_UNREACHABLE": Code("DESIGN §5", ("erp.postings",), "by itself, once the system answers"),
    "UNKNOWN_INVOICE": Code("DESIGN §5", _STATUSES, "the invoice is issued, or linked: `hourstream invoice link`"),
    "UNKNOWN_CHARGE": Code("DESIGN §5", _STATUSES, "the charge arrives, or the system corrects its list"),
    "UNMAPPED_STATUS": Code("DESIGN §5", _STATUSES, "the word is added to `invoicing/statuses.yaml`"),
    "OTHER_CURRENCY": Code("DESIGN §5", _STATUSES, "the system corrects the event"),
    "INVOICE_DIFFERS": Code("DESIGN §5", _STATUSES, "the system corrects the invoice's total or its charges"),
    "CHARGE_INVOICED_TWICE": Code("DESIGN §5", _STATUSES, "one of the two invoices is voided"),
    "NOTHING_TO_INVOICE": Code("DESIGN §5", _STATUSES, "the invoice names charges that are billable"),
    "VOIDED_INVOICE": Code("DESIGN §5", _STATUSES, "the payment is given back there, or booked on another invoice"),
}

# Why a charge, or the part of it that is not billed, bills nothing: `reason` (§2 rule 13).
REASONS: dict[str, str] = {
    "NON_BILLABLE": "§2 rule 3",
    "COVERED_BY_FEE": "§2 rule 9",
    "COVERED_BY_RETAINER": "§2 rule 10",
    "OVER_CAP": "§2 rule 11",
    "MINIMUM_REACHED": "§2 rule 15",
}
