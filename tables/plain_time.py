"""Plain time settled at the speed of the stream: the same bytes that `Settling` publishes, put together from parts.

Of a plain entry's charge most bytes follow from its terms and from its minutes (billing.plain_time). Both are asked of
the rules once and kept as the bytes that they become; an entry then costs its own ids and a joining of parts. Whatever
is not plain, not the first revision of its entry, or on an overfull day is left to `Settling`.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from billing.charges import RULES_VERSION, Charge
from billing.checks import MINUTES_OF_A_DAY
from billing.days import month_of
from billing.facts import Origin, TimeEntry
from billing.ids import charge_id
from billing.masters import Masters
from billing.multipliers import ONCE
from billing.plain_time import PriceTerms, Terms, days_of_change, plain_charge, plain_terms
from runtime.plane.batch import Record
from schemas.codec import header
from schemas.runs import run
from schemas.wire import long, span
from tables.charge_records import READY, charge_record, master_record

_MOST_TERMS, _MOST_PRICES, _MOST_DAYS = 10_000, 50_000, 10_000

TermsKey = tuple[str, str, str, str | None]
"""(engagement, task, consultant, the entry's own labor category)"""

_HEADER = header(READY)
_WHOSE = run(READY, "kind", "engagement_id", "client_id", "legal_entity", "consultant_id", "task_id", "labor_category")
_DAY = run(READY, "work_date", "period")
_MINUTES = run(READY, "worked_minutes", "billable_minutes")
_RATE = run(READY, "rate", "rate_unit", "multiplier", "currency")
_AMOUNT = run(READY, "amount", "reason")
_TAX = run(READY, "tax_category", "tax_rate")
_COMPONENTS = run(READY, "components")
_CONTRACT = run(READY, "po_number", "region")
_MASTERS = run(READY, "lineage.masters", "lineage.rules_version")
_NULL, _PRESENT = b"\x00", b"\x02"


class TimeRow(NamedTuple):
    """A record of time.entries as its values in schema order (`schemas.codec.row_decoder`)."""

    entry_id: str
    engagement_id: str
    task_id: str
    consultant_id: str
    work_date: date
    minutes: int
    labor_category: str | None
    billable: bool
    status: str
    approved_by: str | None
    note: str | None
    source: str
    revision: int
    occurred_at: datetime

    def entry(self, origin: Origin | None = None) -> TimeEntry:
        """The fact."""
        return TimeEntry(**self._asdict(), origin=origin)


@dataclass(frozen=True, slots=True)
class _TermBytes:
    """The bytes of the charges under one set of terms that do not depend on day or minutes."""

    whose: bytes
    rate: bytes
    tax: bytes
    contract: bytes
    masters: bytes
    opening: bytes
    closing: bytes
    price: PriceTerms
    lookups: frozenset[str]


@dataclass(frozen=True, slots=True)
class _PriceBytes:
    """The bytes of charges that follow from the minutes and the price terms; `words` are the derivation's."""

    minutes: bytes
    amount: bytes
    components: bytes
    words: bytes


class PlainTime:
    """What one partition keeps of terms and prices, between batches; all of it can be asked again."""

    def __init__(self) -> None:
        self._masters: Masters | None = None
        self._days: dict[TermsKey, list[date]] = {}
        self._terms: dict[tuple[TermsKey, int], _TermBytes | None] = {}
        self._prices: dict[tuple[PriceTerms, int], _PriceBytes] = {}
        self._dates: dict[date, bytes] = {}

    def look_at(self, masters: Masters) -> None:
        """Settle from now on by these masters; what was learnt of others is forgotten."""
        if masters is not self._masters:
            self._masters = masters
            self._days.clear()
            self._terms.clear()

    def charge(self, subject: str, row: TimeRow, at: Record) -> tuple[bytes, frozenset[str]] | None:
        """(first charge, look-ups) of a new approved entry; None where its time is not plain."""
        key = (row.engagement_id, row.task_id, row.consultant_id, row.labor_category)
        if not (row.task_id and row.consultant_id and row.source and 0 <= row.minutes <= MINUTES_OF_A_DAY):
            return None
        terms = self._terms_of(key, row)
        if terms is None:
            return None
        price = self._prices.get((terms.price, row.minutes)) or self._learn_price(terms, row)
        if price is None:
            return None
        own_id = charge_id(row.engagement_id, subject, 1, "charge").encode()
        approved_by = row.approved_by
        value = b"".join((
            _HEADER,
            span(own_id), _NULL,
            span(subject.encode()),
            terms.whose, self._dates.get(row.work_date) or self._learn_date(row.work_date),
            price.minutes, terms.rate, price.amount, terms.tax, price.components, terms.contract,
            _NULL if approved_by is None else _PRESENT + span(approved_by.encode()),
            span(at.topic.encode()), long(at.partition), long(at.offset), span(row.source.encode()),
            long(row.revision), terms.masters,
            long(at.timestamp_ms),
            span(b"".join((terms.opening, price.words, terms.closing))),
        ))  # fmt: skip
        return value, terms.lookups

    def _terms_of(self, key: TermsKey, row: TimeRow) -> _TermBytes | None:
        days = self._days.get(key)
        if days is None:
            if len(self._days) >= _MOST_TERMS:
                self._days.clear()
                self._terms.clear()
            days = self._days[key] = days_of_change(row.entry(), self._known_masters())
        at = key, bisect_right(days, row.work_date)
        if at not in self._terms:
            terms = plain_terms(row.entry(), self._known_masters())
            self._terms[at] = None if terms is None else _term_bytes(terms, row, self._known_masters())
        return self._terms[at]

    def _learn_price(self, terms: _TermBytes, row: TimeRow) -> _PriceBytes | None:
        charge = plain_charge(row.entry(), self._known_masters())
        if charge is None:
            return None
        if len(self._prices) >= _MOST_PRICES:
            self._prices.clear()
        learnt = self._prices[terms.price, row.minutes] = _price_bytes(charge, terms)
        return learnt

    def _learn_date(self, day: date) -> bytes:
        if len(self._dates) >= _MOST_DAYS:
            self._dates.clear()
        learnt = self._dates[day] = _DAY({"work_date": day, "period": month_of(day)})
        return learnt

    def _known_masters(self) -> Masters:
        if self._masters is None:
            raise RuntimeError("look at masters first")
        return self._masters


def _term_bytes(terms: Terms, row: TimeRow, masters: Masters) -> _TermBytes:
    engagement = masters.engagements[row.engagement_id]
    return _TermBytes(
        whose=_WHOSE({
            "kind": "time", "engagement_id": row.engagement_id, "client_id": engagement.client_id,
            "legal_entity": engagement.legal_entity, "consultant_id": row.consultant_id, "task_id": row.task_id,
            "labor_category": terms.labor_category,
        }),
        rate=_RATE({
            "rate": terms.line.amount, "rate_unit": terms.line.unit, "multiplier": ONCE,
            "currency": engagement.currency,
        }),
        tax=_TAX({"tax_category": terms.tax_category, "tax_rate": terms.tax_rate}),
        contract=_CONTRACT({
            "po_number": engagement.po_number, "region": masters.clients[engagement.client_id].region,
        }),
        masters=_MASTERS({
            "masters": [master_record(ref) for ref in terms.masters], "rules_version": RULES_VERSION,
        }),
        opening=terms.opening.encode(),
        closing=terms.closing.encode(),
        price=terms.price,
        lookups=terms.lookups,
    )  # fmt: skip


def _price_bytes(charge: Charge, terms: _TermBytes) -> _PriceBytes:
    record = charge_record(charge)
    return _PriceBytes(
        minutes=_MINUTES({name: record[name] for name in ("worked_minutes", "billable_minutes")}),
        amount=_AMOUNT({name: record[name] for name in ("amount", "reason")}),
        components=_COMPONENTS({"components": record["components"]}),
        words=charge.derivation.encode().removeprefix(terms.opening).removesuffix(terms.closing),
    )
