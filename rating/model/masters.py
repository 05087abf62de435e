"""The snapshot of master data one settling sees: immutable, indexed for the rules, cheap to change.

`with_records` copies only the indexes a change touches, so a batch keeps the snapshot it began with.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar, assert_never

from rating.model.master_data import (
    Calendar,
    Client,
    CodeMapping,
    Consultant,
    Engagement,
    ExpensePolicy,
    FxRate,
    LegalEntity,
    Master,
    PerDiem,
    RateCard,
    RateLine,
    Task,
    TaxRule,
)
from rating.model.master_records import master

__all__ = [
    "Calendar",
    "Client",
    "CodeMapping",
    "Consultant",
    "Engagement",
    "ExpensePolicy",
    "FxRate",
    "LegalEntity",
    "LineSelector",
    "Master",
    "Masters",
    "RateCard",
    "RateLine",
    "Task",
    "TaxRule",
    "lookups_touched",
    "master",
]

LineSelector = tuple[str | None, str | None, str | None]
"""(consultant_id, task_id, labor_category) of a rate line; None where it has no such selector."""

_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Masters:
    """The masters by id, and beside them what the rules search: card lines, firm cards, tax rules, exchange rates.

    `firm_cards` are in order of rate_card_id, `tax_rules` of a jurisdiction in the order in which they win (later
    valid_from, then lower tax_rule_id), `fx_rates` of a (base, quote) pair by date, `per_diems` of a place in the order
    in which they win (DOMAIN.md §2, E4).
    """

    clients: dict[str, Client] = field(default_factory=dict)
    consultants: dict[str, Consultant] = field(default_factory=dict)
    engagements: dict[str, Engagement] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    policies: dict[str, ExpensePolicy] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    holidays: dict[str, frozenset[date]] = field(default_factory=dict)
    cards: dict[str, RateCard] = field(default_factory=dict)
    card_lines: dict[str, dict[LineSelector, tuple[RateLine, ...]]] = field(default_factory=dict)
    firm_cards: tuple[RateCard, ...] = ()
    tax_rules_by_id: dict[str, TaxRule] = field(default_factory=dict)
    tax_rules: dict[str, tuple[TaxRule, ...]] = field(default_factory=dict)
    fx_rates: dict[tuple[str, str], tuple[FxRate, ...]] = field(default_factory=dict)
    per_diems_by_id: dict[str, PerDiem] = field(default_factory=dict)
    per_diems: dict[str, tuple[PerDiem, ...]] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> "Masters":
        """A snapshot that knows nothing."""
        return cls()

    def with_records(self, changes: Iterable[tuple[str, str, Master]]) -> "Masters":
        """This snapshot with each (topic, id, master) in place of what it had under that id, the last one counting.

        Legal entities and code mappings are taken and left out: no rule of billing looks at them.
        """
        records = list(changes)
        calendars = _changed(records, Calendar)
        holidays = {key: frozenset(found.holidays) for key, found in calendars.items()}
        return replace(
            self._with_cards(_changed(records, RateCard))
            ._with_tax_rules(_changed(records, TaxRule))
            ._with_per_diems(_changed(records, PerDiem)),
            clients=_overlaid(self.clients, _changed(records, Client)),
            consultants=_overlaid(self.consultants, _changed(records, Consultant)),
            engagements=_overlaid(self.engagements, _changed(records, Engagement)),
            tasks=_overlaid(self.tasks, _changed(records, Task)),
            policies=_overlaid(self.policies, _changed(records, ExpensePolicy)),
            calendars=_overlaid(self.calendars, calendars),
            holidays=_overlaid(self.holidays, holidays),
            fx_rates=_with_rates(self.fx_rates, _changed(records, FxRate).values()),
        )

    def _with_cards(self, changed: dict[str, RateCard]) -> "Masters":
        if not changed:
            return self
        cards = {**self.cards, **changed}
        return replace(
            self,
            cards=cards,
            card_lines={**self.card_lines, **{key: _by_selector(card) for key, card in changed.items()}},
            firm_cards=tuple(card for _, card in sorted(cards.items()) if card.is_firm_default),
        )

    def _with_tax_rules(self, changed: dict[str, TaxRule]) -> "Masters":
        if not changed:
            return self
        # A rule may have moved to another jurisdiction, so all are sorted anew: they are few.
        rules = {**self.tax_rules_by_id, **changed}
        return replace(self, tax_rules_by_id=rules, tax_rules=_by_jurisdiction(rules.values()))

    def _with_per_diems(self, changed: dict[str, PerDiem]) -> "Masters":
        if not changed:
            return self
        known = {**self.per_diems_by_id, **changed}
        before = (self.per_diems_by_id.get(key) for key in changed)
        places = {rate.place for rate in (*changed.values(), *before) if rate is not None}
        found: dict[str, list[PerDiem]] = {place: [] for place in places}
        for rate in known.values():
            if rate.place in found:
                found[rate.place].append(rate)
        return replace(
            self,
            per_diems_by_id=known,
            per_diems={
                **self.per_diems,
                **{place: tuple(sorted(rates, key=_order_of_per_diems)) for place, rates in found.items()},
            },
        )


def lookups_touched(topic: str, old: Master | None, new: Master | None) -> frozenset[str]:
    """The names of the look-ups whose answer a change of one master may alter (DOMAIN.md §3).

    `old` and `new` are the winning records of `topic` before and after, None where there is none. Legal entities and
    code mappings touch nothing.
    """
    return frozenset(name for record in (old, new) if record is not None for name in _lookups(record))


def _lookups(record: Master) -> tuple[str, ...]:
    match record:
        case Client():
            return (f"client:{record.client_id}",)
        case Consultant():
            return (f"consultant:{record.consultant_id}",)
        case Engagement():
            return (f"engagement:{record.engagement_id}",)
        case Task():
            return (f"task:{record.task_id}",)
        case RateCard():
            firm = ("firm-cards",) if record.is_firm_default else ()
            return (f"card:{record.rate_card_id}", *firm)
        case ExpensePolicy():
            return (f"policy:{record.expense_policy_id}",)
        case PerDiem():
            return (f"per-diem:{record.place}",)
        case TaxRule():
            return (f"tax:{record.jurisdiction}",)
        case FxRate():
            return (f"fx:{record.base}:{record.quote}",)
        case Calendar():
            return (f"calendar:{record.calendar_id}",)
        case LegalEntity() | CodeMapping():
            return ()
        case _:
            assert_never(record)


def _overlaid(known: dict[str, _Kept], changed: dict[str, _Kept]) -> dict[str, _Kept]:
    return {**known, **changed} if changed else known


def _changed(records: list[tuple[str, str, Master]], shape: type[_Kept]) -> dict[str, _Kept]:
    return {master_id: record for _, master_id, record in records if isinstance(record, shape)}


def _by_selector(card: RateCard) -> dict[LineSelector, tuple[RateLine, ...]]:
    found: dict[LineSelector, tuple[RateLine, ...]] = {}
    for line in card.lines:
        selector = (line.consultant_id or None, line.task_id or None, line.labor_category or None)
        found[selector] = (*found.get(selector, ()), line)
    return found


def _by_jurisdiction(rules: Iterable[TaxRule]) -> dict[str, tuple[TaxRule, ...]]:
    found: dict[str, list[TaxRule]] = {}
    for rule in sorted(rules, key=lambda rule: (-rule.valid_from.toordinal(), rule.tax_rule_id)):
        found.setdefault(rule.jurisdiction, []).append(rule)
    return {jurisdiction: tuple(rules_of_it) for jurisdiction, rules_of_it in found.items()}


def _order_of_per_diems(rate: PerDiem) -> tuple[int, bool, str]:
    return -rate.valid_from.toordinal(), rate.season_from is None, rate.per_diem_id


def _with_rates(
    known: dict[tuple[str, str], tuple[FxRate, ...]], changed: Iterable[FxRate]
) -> dict[tuple[str, str], tuple[FxRate, ...]]:
    of_pair: dict[tuple[str, str], dict[date, FxRate]] = {}
    for rate in changed:
        pair = (rate.base, rate.quote)
        if pair not in of_pair:
            of_pair[pair] = {earlier.date: earlier for earlier in known.get(pair, ())}
        of_pair[pair][rate.date] = rate
    if not of_pair:
        return known
    return {**known, **{pair: tuple(rate for _, rate in sorted(rates.items())) for pair, rates in of_pair.items()}}
