"""Plain time settled at the speed of the stream: the same bytes that `Settling` publishes, put together from parts.

Most bytes of a plain entry's charge follow from its terms (rating.time.fast_path). Those are asked of the rules once
and kept as the bytes that they become; an entry then costs its own ids, its price and a joining of parts.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from rating.checks import MINUTES_OF_A_DAY
from rating.model.charge import RULES_VERSION, TERMS_FIELDS
from rating.model.days import month_of
from rating.model.facts import Origin, TimeEntry
from rating.model.ids import charge_id
from rating.model.masters import Masters
from rating.time.fast_path import MinuteTerms, Terms, billed_minutes, days_of_change, plain_terms, price
from rating.time.fast_path_support import supports_engagement
from rating.time.multipliers import ONCE
from schemas.binary import long, span
from schemas.codec import header, shape
from schemas.partial_encoder import RunEncoder, run
from schemas.schema_types import AvroRecord as ContractRecord
from schemas.schema_types import leaf_paths
from streaming.batch import Record
from tables.settlement.charge_record import READY, master_record

_MOST_TERMS, _MOST_MINUTES, _MOST_DAYS = 20_000, 20_000, 10_000
_MOST_UNITS = 10**18  # of a decimal(18,6)

TermsKey = tuple[str, str, str, str | None]
"""(engagement, task, consultant, the entry's own labor category)"""

# Every field of a charge that is put together here, in the order of the contract; fields that follow from terms may be
# added behind them. With any other field the fast path is off.
_WRITTEN = (
    "charge_id reverses subject kind engagement_id client_id legal_entity consultant_id task_id labor_category"
    " work_date period worked_minutes billable_minutes rate rate_unit multiplier currency amount reason tax_category"
    " tax_rate components.minutes components.rate components.multiplier components.amount components.reason po_number"
    " region approved_by lineage.topic lineage.partition lineage.offset lineage.source lineage.revision"
    " lineage.masters.kind lineage.masters.id lineage.masters.revision lineage.masters.line_id lineage.rules_version"
    " decided_at derivation"
)


def writes_all_of(charge: ContractRecord) -> bool:
    """Whether the charges put together here have every field of that contract, and no other."""
    return " ".join(leaf_paths(charge)) == " ".join((_WRITTEN, *TERMS_FIELDS))


_IS_ON = writes_all_of(shape(READY))
_HEADER = header(READY)


def _run(*paths: str) -> RunEncoder:
    return run(READY, *paths) if _IS_ON else lambda _: b""


_WHOSE = _run("kind", "engagement_id", "client_id", "legal_entity", "consultant_id", "task_id", "labor_category")
_DAY = _run("work_date", "period")
_RATE = _run("rate", "rate_unit", "multiplier", "currency")
_TAX = _run("tax_category", "tax_rate")
_PART = _run("components.rate", "components.multiplier")
_CONTRACT = _run("po_number", "region")
_MASTERS = _run("lineage.masters", "lineage.rules_version")
_ADDED = _run(*TERMS_FIELDS) if TERMS_FIELDS else lambda _: b""
_ID_LENGTH = long(36)
_NULL, _PRESENT, _ONE_ITEM, _END = b"\x00", b"\x02", b"\x02", b"\x00"


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
    started_at: datetime | None
    ended_at: datetime | None
    source: str
    revision: int
    occurred_at: datetime

    def entry(self, origin: Origin | None = None) -> TimeEntry:
        """The fact: an empty optional text is absent (DOMAIN.md, Conventions)."""
        row = self._replace(
            labor_category=self.labor_category or None, approved_by=self.approved_by or None, note=self.note or None
        )
        return TimeEntry(**row._asdict(), origin=origin)


def time_rows(contract: ContractRecord) -> Callable[[tuple[Any, ...]], TimeRow | None]:
    """A function from the values of a time entry, in the order of its contract, to the row.

    It gives None, which takes the general path, for a value in a field that rows do not have.
    """
    names = [each.name for each in contract.fields]
    if names == list(TimeRow._fields):
        return TimeRow._make
    known = itemgetter(*(names.index(name) for name in TimeRow._fields))
    others = [place for place, name in enumerate(names) if name not in TimeRow._fields]

    def row(values: tuple[Any, ...]) -> TimeRow | None:
        return None if any(values[place] is not None for place in others) else TimeRow._make(known(values))

    return row


@dataclass(frozen=True, slots=True)
class _TermBytes:
    """The bytes of the charges under one set of terms that do not depend on day or minutes."""

    whose: bytes
    rate: bytes
    tax: bytes
    part: bytes
    contract: bytes
    masters: bytes
    opening: bytes
    closing: bytes
    added: bytes
    minutes: MinuteTerms
    numerator: int
    denominator: int
    digits: int
    lookups: frozenset[str]


class _MinuteBytes(NamedTuple):
    """What follows from the worked minutes and how they are rounded; `words` are the derivation's."""

    billable: int
    both: bytes
    component: bytes
    words: bytes


class PlainTime:
    """What one partition keeps of terms and prices, between batches; all of it can be asked again."""

    def __init__(self) -> None:
        self.noted: set[tuple[str, frozenset[str]]] = set()  # (engagement, look-ups) that are in the index already
        self._masters: Masters | None = None
        self._days: dict[TermsKey, list[date]] = {}
        self._terms: dict[tuple[TermsKey, int], _TermBytes | None] = {}
        self._plain: dict[str, bool] = {}  # engagements whose terms were looked at
        self._minutes: dict[tuple[MinuteTerms, int], _MinuteBytes] = {}
        self._dates: dict[date, bytes] = {}
        self._place, self._place_bytes = ("", -1), b""

    def look_at(self, masters: Masters) -> None:
        """Settle from now on by these masters; what was learnt of others is forgotten."""
        if masters is not self._masters:
            self._masters = masters
            self._days.clear()
            self._terms.clear()
            self._plain.clear()
            self.noted.clear()

    def charge(self, subject: str, row: TimeRow, at: Record) -> tuple[bytes, frozenset[str]] | None:
        """(first charge, look-ups) of a new approved entry; None where its time is not plain."""
        key = (row.engagement_id, row.task_id, row.consultant_id, row.labor_category)
        if not (_IS_ON and row.task_id and row.consultant_id and row.source and 0 <= row.minutes <= MINUTES_OF_A_DAY):
            return None
        if not self._may_be_plain(row.engagement_id):
            return None
        terms = self._terms_of(key, row)
        if terms is None:
            return None
        minutes = self._minutes.get((terms.minutes, row.minutes)) or self._learn_minutes(terms.minutes, row.minutes)
        cents = price(minutes.billable, terms.numerator, terms.denominator)
        units = cents * 10 ** (6 - terms.digits)
        if units >= _MOST_UNITS:
            return None
        amount = span(units.to_bytes((units.bit_length() + 8) // 8, "big"))
        own_id = charge_id(row.engagement_id, subject, 1, "charge")
        approved_by = row.approved_by
        value = b"".join((
            _HEADER, _ID_LENGTH, own_id.encode(), _NULL,
            span(subject.encode()),
            terms.whose, self._dates.get(row.work_date) or self._learn_date(row.work_date),
            minutes.both, terms.rate, amount, _NULL, terms.tax,
            _ONE_ITEM, minutes.component, terms.part, amount, _NULL, _END,
            terms.contract, _NULL if not approved_by else _PRESENT + span(approved_by.encode()),
            self._read_from(at), long(at.offset), span(row.source.encode()), long(row.revision), terms.masters,
            long(at.timestamp_ms),
            span(b"".join((terms.opening, minutes.words, _in_words(cents, terms.digits), terms.closing))),
            terms.added,
        ))  # fmt: skip
        return value, terms.lookups

    def _read_from(self, at: Record) -> bytes:
        """Topic and partition of the lineage: the same for all that one partition reads."""
        place = at.topic, at.partition
        if place != self._place:
            self._place, self._place_bytes = place, span(at.topic.encode()) + long(at.partition)
        return self._place_bytes

    def _may_be_plain(self, engagement_id: str) -> bool:
        """Whether the terms of an engagement allow plain time; the search for those of an entry costs more."""
        found = self._plain.get(engagement_id)
        if found is None:
            engagement = self._known_masters().engagements.get(engagement_id)
            found = self._plain[engagement_id] = engagement is not None and supports_engagement(engagement)
        return found

    def _terms_of(self, key: TermsKey, row: TimeRow) -> _TermBytes | None:
        days = self._days.get(key)
        if days is None:
            if len(self._days) >= _MOST_TERMS:
                self._days.clear()
                self._terms.clear()
                self.noted.clear()
            days = self._days[key] = days_of_change(row.entry(), self._known_masters())
        at = key, bisect_right(days, row.work_date)
        if at not in self._terms:
            terms = plain_terms(row.entry(), self._known_masters())
            self._terms[at] = None if terms is None else _term_bytes(terms, row, self._known_masters())
        return self._terms[at]

    def _learn_minutes(self, terms: MinuteTerms, worked: int) -> _MinuteBytes:
        if len(self._minutes) >= _MOST_MINUTES:
            self._minutes.clear()
        billable, words = billed_minutes(worked, terms)
        learnt = _MinuteBytes(billable, long(worked) + long(billable), long(billable), words.encode())
        self._minutes[terms, worked] = learnt
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
        part=_PART({"rate": terms.line.amount, "multiplier": ONCE}),
        contract=_CONTRACT({
            "po_number": engagement.po_number, "region": masters.clients[engagement.client_id].region,
        }),
        masters=_MASTERS({
            "masters": [master_record(ref) for ref in terms.masters], "rules_version": RULES_VERSION,
        }),
        opening=terms.opening.encode(),
        closing=terms.closing.encode(),
        added=_ADDED(terms.added),
        minutes=terms.minutes,
        numerator=terms.numerator,
        denominator=terms.denominator,
        digits=terms.digits,
        lookups=terms.lookups,
    )  # fmt: skip


def _in_words(cents: int, digits: int) -> bytes:
    """An amount in minor units as `str` of its Decimal."""
    return b"%d.%0*d" % (cents // 10**digits, digits, cents % 10**digits) if digits else b"%d" % cents
