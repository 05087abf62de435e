"""Why a subject is charged what it is: each rule in order with its inputs and its result, and what would change it.

Worked out by the rules themselves over the facts and masters of an engagement, as they stand now. Pure functions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from assurance.next_thresholds import thresholds
from common.decimals import plain
from rating.exception_codes import CODES, REASONS
from rating.model.charge import Charge, MasterRef, Settlement
from rating.model.facts import Fact, TimeEntry, gathered, subjects_of
from rating.model.master_data import Engagement
from rating.model.masters import Masters
from rating.settle import settle
from rating.time.derivation import rounding_in_words
from rating.time.rates import labor_category
from rating.time.time_checks import needs_rates
from topics import topic_names
from warehouse.queries.rates import CardSearched, Sought, cards_compared


@dataclass(frozen=True, slots=True)
class Step:
    """A rule, what it looked at (with revisions), and what came out."""

    rule: str
    inputs: str
    result: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The derivation of a subject; `cards` were searched for a rate, `changes` say what would change the amount."""

    engagement_id: str
    subject: str
    state: str
    amount: Decimal | None
    currency: str | None
    steps: tuple[Step, ...]
    cards: tuple[CardSearched, ...]
    changes: tuple[str, ...]


def explain(engagement_id: str, subject: str, facts: Sequence[Fact], masters: Masters) -> Explanation | None:
    """The explanation of a subject of the engagement, whose winning facts are given; None where no fact makes it."""
    fact = next((each for each in facts if subject in subjects_of(each)), None)
    settlement = settle(engagement_id, gathered(facts), masters).subjects.get(subject)
    if fact is None or settlement is None:
        return None
    engagement = masters.engagements.get(engagement_id)
    case = _Case(fact, settlement, tuple(facts), masters, engagement)
    charge = settlement.charge
    return Explanation(
        engagement_id,
        subject,
        "on hold" if settlement.state == "parked" else settlement.state,
        charge.amount if charge else None,
        charge.currency if charge else None,
        tuple(_steps(case)),
        tuple(_cards(case)),
        tuple(thresholds(fact, settlement, facts, masters, engagement)),
    )


@dataclass(frozen=True, slots=True)
class _Case:
    fact: Fact
    settlement: Settlement
    facts: tuple[Fact, ...]
    masters: Masters
    engagement: Engagement | None


def _steps(case: _Case) -> Iterator[Step]:
    fact, settlement = case.fact, case.settlement
    yield Step("§1.3", _record_of(fact), f"revision {fact.revision} wins, {getattr(fact, 'status', 'stands')}")
    charge, held = settlement.charge, settlement.parked
    if charge is not None:
        yield from _of_charge(case, charge)
    if held is not None:
        code = CODES[held.code]
        state = "waived" if held.waived else "on hold"
        waits = f"waits for {held.missing.kind} {held.missing.id}" if held.missing else "the check failed"
        stake = "" if held.amount_at_stake is None else f"; {plain(held.amount_at_stake)} at stake"
        yield Step(code.section, held.message, f"{state}: {held.code}, {held.minutes} min{stake}; {waits}")
        yield Step("heals when", ", ".join(code.topics), code.heals)


def _of_charge(case: _Case, charge: Charge) -> Iterator[Step]:
    refs = {ref.kind: ref for ref in charge.lineage.masters}
    contract = _named(refs, "engagement", "client")
    yield Step("§2 rules 1 and 14", contract, "passes")
    if isinstance(case.fact, TimeEntry):
        yield from _of_time(case, case.fact, charge, refs)
    else:
        used = [ref for ref in charge.lineage.masters if ref.kind not in ("engagement", "client", "tax_rule")]
        words = charge.derivation.rpartition("; tax ")[0] or charge.derivation
        section = {"fee": "§2 F1, F2", "minimum": "§2 rule 15", "expense": "§2 E1 to E5", "milestone": "§2 M1"}
        section |= {"outcome": "§2 O1 to O5", "adjustment": "§2 A1"}
        yield Step(section[charge.kind], _refs(used) or contract, words)
    yield from _cap(case, charge)
    if charge.tax_category is not None:
        rate = "" if charge.tax_rate is None else f" {plain(charge.tax_rate)} %"
        yield Step("§2 rule 12", _named(refs, "client", "tax_rule"), f"tax {charge.tax_category}{rate}")
    if charge.reason is not None:
        yield Step(REASONS[charge.reason], "", charge.reason)


def _of_time(case: _Case, entry: TimeEntry, charge: Charge, refs: dict[str, MasterRef]) -> Iterator[Step]:
    engagement, task = case.engagement, case.masters.tasks.get(entry.task_id)
    consultant = case.masters.consultants.get(entry.consultant_id)
    if engagement is None or task is None or consultant is None:  # it would have no charge
        return
    yield Step("§2 rule 2", _named(refs, "task", "consultant"), "passes")
    whole = charge.reason != "NON_BILLABLE"
    said = f"method {engagement.billing_method}, entry billable {entry.billable}, task billable {task.billable}"
    yield Step("§2 rule 3", said, "billable" if whole else "not billable")
    where = "the entry" if entry.labor_category else "the task" if task.labor_category else "the consultant's grade"
    category = labor_category(entry, task, consultant)
    yield Step("§2 rule 4", where, category or "no labor category")
    if charge.rate is not None:
        source = _named(refs, "rate_card") or f"blended rate of {_named(refs, 'engagement')}"
        yield Step("§2 rule 5", source, f"{plain(charge.rate)} {charge.currency} per {charge.rate_unit}")
    if whole:
        rounding = engagement.rounding
        words = rounding_in_words(entry.minutes, charge.billable_minutes, rounding) or " as recorded"
        rule = f"{rounding.increment_minutes} min {rounding.mode} by {rounding.scope}"
        yield Step("§2 rule 6", f"{entry.minutes} min, {rule}", f"{entry.minutes} min{words}")
    for part in charge.components:
        section = "§2 rule 10" if part.reason == "COVERED_BY_RETAINER" else "§2 rules 7 and 8"
        inputs = f"{part.minutes} min x {plain(part.multiplier)} at {plain(part.rate)}"
        yield Step(section, inputs, f"{part.amount} {charge.currency}" + (f", {part.reason}" if part.reason else ""))


def _cap(case: _Case, charge: Charge) -> Iterator[Step]:
    """What the cap did: the amount with it beside the amount that the rules give without it."""
    engagement = case.engagement
    if engagement is None or engagement.cap is None or charge.kind not in ("time", "expense"):
        return
    uncapped = case.masters.with_records(
        [(topic_names.MASTER_ENGAGEMENTS, engagement.engagement_id, replace(engagement, cap=None))]
    )
    full = settle(engagement.engagement_id, gathered(case.facts), uncapped).subjects[charge.subject].charge
    if full is not None:
        inputs = f"cap {plain(engagement.cap.amount)}, {engagement.cap.policy}; {full.amount} before it"
        yield Step("§2 rule 11", inputs, f"{charge.amount} {charge.currency}")


def _cards(case: _Case) -> list[CardSearched]:
    """The cards that were searched, for time that needs a rate; also where the search failed."""
    entry, engagement = case.fact, case.engagement
    if not isinstance(entry, TimeEntry) or engagement is None or engagement.blended_rate or not needs_rates(engagement):
        return []
    task, consultant = case.masters.tasks.get(entry.task_id), case.masters.consultants.get(entry.consultant_id)
    if task is None or consultant is None or not (entry.billable and task.billable):
        return []
    category = labor_category(entry, task, consultant)
    own = (entry.consultant_id, entry.task_id, category, entry.work_date)
    return cards_compared(case.masters, Sought(engagement.engagement_id, engagement.client_id, *own))


def _record_of(fact: Fact) -> str:
    origin = fact.origin
    where = f"{origin.topic}[{origin.partition}]@{origin.offset}" if origin else "a fact"
    return f"{where} from {fact.source}, of {fact.occurred_at:%Y-%m-%d %H:%M:%S}Z"


def _named(refs: dict[str, MasterRef], *kinds: str) -> str:
    return _refs(refs[kind] for kind in kinds if kind in refs)


def _refs(refs: Iterable[MasterRef]) -> str:
    return ", ".join(
        f"{ref.kind} {ref.id} revision {ref.revision}" + (f" line {ref.line_id}" if ref.line_id else "") for ref in refs
    )
