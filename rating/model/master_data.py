"""Master data as frozen dataclasses: the field names of DOMAIN.md §1 and their nested records.

Lists become tuples and nested records dataclasses; `?` fields default to None. Equality leaves out `occurred_at`.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from rating.model.enumerations import (
    AmountRounding,
    BillingMethod,
    CapPolicy,
    CapScope,
    CodeKind,
    DayRule,
    EngagementStatus,
    InvoicePer,
    LatePolicy,
    PerDiemComponent,
    PerDiemRule,
    PricingModel,
    Proration,
    RateUnit,
    Region,
    RoundingMode,
    RoundingScope,
    TaxRuleCategory,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterRecord:
    """What every master record carries: its source system, its revision and when it happened."""

    source: str
    revision: int
    occurred_at: datetime = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address, as documents print it."""

    street: str
    city: str
    postcode: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(MasterRecord):
    """`master.clients`: who is billed."""

    client_id: str
    name: str
    country: str
    region: Region
    tax_jurisdiction: str
    vat_id: str | None = None
    currency: str
    payment_terms_days: int
    default_rate_card_id: str | None = None
    address: Address | None = None
    invoice_per: InvoicePer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalEntity(MasterRecord):
    """`master.legal-entities`: who sells; used on documents only."""

    legal_entity_id: str
    name: str
    country: str
    tax_jurisdiction: str
    vat_id: str | None = None
    registration_id: str | None = None
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The labor category of a consultant from valid_from until before valid_to."""

    valid_from: date
    valid_to: date | None = None
    labor_category: str
    cost_rate: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consultant(MasterRecord):
    """`master.consultants`: who works."""

    consultant_id: str
    name: str
    region: Region
    weekly_capacity_minutes: int | None = None
    grades: tuple[Grade, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most that an engagement may be charged over its life, for time or also for expenses; null scope is time."""

    amount: Decimal
    policy: CapPolicy
    scope: CapScope | None = None

    @property
    def limits_expenses(self) -> bool:
        """Whether expenses use it too."""
        return self.scope == "time_and_expenses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """The least that the time of a closed month is charged."""

    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendedTerms:
    """One rate for all time, in place of the rate cards."""

    amount: Decimal
    unit: RateUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """How worked minutes become billable ones."""

    increment_minutes: int
    mode: RoundingMode
    scope: RoundingScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipliers:
    """What special time costs; null or 0 does not apply, a null threshold means no overtime."""

    weekend: Decimal | None = None
    holiday: Decimal | None = None
    overtime_after_minutes: int | None = None
    overtime: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retainer:
    """Minutes included each month, the months a rest may roll over, and the fee of a month."""

    included_minutes: int
    monthly_fee: Decimal
    rollover_months: int
    proration: Proration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """The fee of a month."""

    monthly_fee: Decimal
    proration: Proration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneTerms:
    """What completing a stage is worth."""

    milestone_id: str
    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A price step: units up to and including up_to (null: no end), price of one, fee of the step."""

    up_to: Decimal | None = None
    unit_price: Decimal
    flat_fee: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTerms:
    """How a metric is priced."""

    metric: str
    model: PricingModel
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxOverride:
    """A tax treatment agreed for the whole engagement; rate in percent."""

    category: str
    rate: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Engagement(MasterRecord):
    """`master.engagements`: the contract, with money in `currency`.

    A null choice is the default of DOMAIN.md §1: amounts rounded entry by entry, late work on the next invoice.
    """

    engagement_id: str
    client_id: str
    name: str
    status: EngagementStatus
    on_hold_from: date | None = None
    starts_on: date
    ends_on: date | None = None
    currency: str
    legal_entity: str
    seller_country: str
    seller_tax_jurisdiction: str
    billing_method: BillingMethod
    rate_card_id: str | None = None
    blended_rate: BlendedTerms | None = None
    discount_percent: Decimal
    cap: Cap | None = None
    minimum: Minimum | None = None
    rounding: Rounding
    amount_rounding: AmountRounding | None = None
    hours_per_day: Decimal
    day_rule: DayRule
    multipliers: Multipliers
    holiday_calendar: str | None = None
    retainer: Retainer | None = None
    subscription: Subscription | None = None
    milestones: tuple[MilestoneTerms, ...]
    outcomes: tuple[OutcomeTerms, ...]
    expense_policy_id: str | None = None
    tax_override: TaxOverride | None = None
    po_number: str | None = None
    approval_group: str | None = None
    late_policy: LatePolicy | None = None
    invoice_per: InvoicePer | None = None
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(MasterRecord):
    """`master.tasks`: what is worked on, within one engagement."""

    task_id: str
    engagement_id: str
    code: str
    name: str
    closed_on: date | None = None
    billable: bool
    labor_category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLine:
    """A rate from valid_from until before valid_to, for what its selectors name."""

    line_id: str
    consultant_id: str | None = None
    task_id: str | None = None
    labor_category: str | None = None
    unit: RateUnit
    amount: Decimal
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCard(MasterRecord):
    """`master.rate-cards`: rates in one currency."""

    rate_card_id: str
    name: str
    currency: str
    is_firm_default: bool
    lines: tuple[RateLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpenseRule:
    """What a policy says of a category; limit in limit_currency, or in the expense's own where that is null.

    With `per_diem` it is priced by the rates of its component.
    """

    category: str
    allowed: bool
    limit: Decimal | None = None
    limit_currency: str | None = None
    receipt_above: Decimal | None = None
    markup_percent: Decimal
    per_diem: PerDiemRule | None = None
    component: PerDiemComponent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpensePolicy(MasterRecord):
    """`master.expense-policies`: which expenses a client pays."""

    expense_policy_id: str
    rules: tuple[ExpenseRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerDiem(MasterRecord):
    """`master.per-diems`: an amount a day at a place; the season is MM-DD..MM-DD inclusive, null is all year."""

    per_diem_id: str
    place: str
    component: PerDiemComponent
    currency: str
    amount: Decimal
    season_from: str | None = None
    season_to: str | None = None
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRule(MasterRecord):
    """`master.tax-rules`: the category (S, Z, E, O) and rate in percent of a jurisdiction for some days."""

    tax_rule_id: str
    jurisdiction: str
    category: TaxRuleCategory
    rate: Decimal
    reason: str | None = None
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FxRate(MasterRecord):
    """`master.fx-rates`: 1 base = rate quote, published on `date`."""

    base: str
    quote: str
    date: date
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar(MasterRecord):
    """`master.calendars`: the holidays of a place."""

    calendar_id: str
    holidays: tuple[date, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMapping(MasterRecord):
    """`master.code-map`: what another system's code is called here; used by intake only."""

    system: str
    kind: CodeKind
    code: str
    canonical_id: str


Master: TypeAlias = (
    Client
    | LegalEntity
    | Consultant
    | Engagement
    | Task
    | RateCard
    | ExpensePolicy
    | PerDiem
    | TaxRule
    | FxRate
    | Calendar
    | CodeMapping
)
