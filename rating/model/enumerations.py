"""The closed enumerations of DOMAIN.md §1: every value that a field of a fact or of a master record may have.

The symbols of the schemas are the same (tests/contract/test_enumerations.py), so a record with another value is a dead
letter. A `match` over a value ends in `assert_never`: mypy then finds each place that forgets one.
"""

from typing import Literal, TypeAlias

Region: TypeAlias = Literal["AMER", "EMEA", "APAC"]
EngagementStatus: TypeAlias = Literal["draft", "active", "closed"]
BillingMethod: TypeAlias = Literal[
    "time_and_materials", "fixed_fee", "retainer", "subscription", "outcome", "non_billable"
]
CapPolicy: TypeAlias = Literal["park", "absorb"]
CapScope: TypeAlias = Literal["time", "time_and_expenses"]
RoundingMode: TypeAlias = Literal["up", "nearest", "down"]
RoundingScope: TypeAlias = Literal["entry", "person_day"]
AmountRounding: TypeAlias = Literal["entry", "cumulative"]
DayRule: TypeAlias = Literal["prorata", "half_day_steps", "half_day_capped"]
RateUnit: TypeAlias = Literal["hour", "day"]
PricingModel: TypeAlias = Literal["per_unit", "graduated", "volume"]
Proration: TypeAlias = Literal["whole", "daily"]
LatePolicy: TypeAlias = Literal["next_invoice", "park"]
InvoicePer: TypeAlias = Literal["engagement", "client"]
TaxRuleCategory: TypeAlias = Literal["S", "Z", "E", "O"]
PerDiemRule: TypeAlias = Literal["flat", "up_to"]
PerDiemComponent: TypeAlias = Literal["lodging", "meals"]
CodeKind: TypeAlias = Literal["client", "consultant", "engagement", "task", "labor_category"]

ApprovalStatus: TypeAlias = Literal["submitted", "approved", "rejected", "withdrawn"]
MilestoneStatus: TypeAlias = Literal["completed", "reopened"]
PeriodStatus: TypeAlias = Literal["open", "closed"]
AdjustmentKind: TypeAlias = Literal["amount", "minutes"]
DecisionKind: TypeAlias = Literal["waive", "retry"]
HoldStatus: TypeAlias = Literal["held", "released"]

ChargeKind: TypeAlias = Literal["time", "expense", "milestone", "outcome", "adjustment", "fee", "minimum"]
Reason: TypeAlias = Literal["NON_BILLABLE", "COVERED_BY_FEE", "OVER_CAP", "COVERED_BY_RETAINER", "MINIMUM_REACHED"]
Severity: TypeAlias = Literal["blocking", "warning"]
