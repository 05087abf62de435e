"""The status of a charge: postings of ERPs and statuses of invoices, merged by identity and rank (DESIGN.md §5).

A `ChargeHistory` only grows. Of each identity (a posting; a status of an invoice) it keeps the highest rank, so order
and repetition of events change nothing. The status is a pure function of the history:

    ready -> posted | refused -> invoiced -> part paid -> paid; disputed; voided (free for the next invoice)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, TypeVar

State = Literal["ready", "posted", "refused", "invoiced", "part_paid", "paid", "disputed", "voided"]
Step: TypeAlias = Literal["decided_to_posted", "posted_to_invoiced", "invoiced_to_paid", "decided_to_paid"]

_OF_INVOICE: Mapping[str, State] = {
    "issued": "invoiced",
    "sent": "invoiced",
    "part_paid": "part_paid",
    "paid": "paid",
    "disputed": "disputed",
}


@dataclass(frozen=True, slots=True, order=True)
class PostingResult:
    """An ERP's answer to a charge, ranked by revision. Equal revisions that differ rank by what they say."""

    revision: int
    at_ms: int
    system: str
    status: str  # posted, refused
    reference: str
    reason: str = ""


@dataclass(frozen=True, slots=True, order=True)
class InvoiceStatusEvent:
    """A status of an invoice that a charge is on, ranked by revision, then as answers are."""

    revision: int
    at_ms: int
    status: str  # issued, sent, part_paid, paid, disputed, voided


@dataclass(frozen=True, slots=True)
class ChargeHistory:
    """All that is known of a charge beside itself.

    `answers` by posting id; `notices` by (invoice id, status), the highest-ranked of each.
    """

    answers: dict[str, PostingResult] = field(default_factory=dict)
    notices: dict[tuple[str, str], InvoiceStatusEvent] = field(default_factory=dict)
    reversed_by: str | None = None


@dataclass(frozen=True, slots=True)
class ChargeStanding:
    """Where a charge stands, with the instant (epoch ms) of each step; the invoice is a voided one's where `voided`."""

    state: State
    invoice_id: str | None = None
    posted_ms: int | None = None
    invoiced_ms: int | None = None
    sent_ms: int | None = None
    part_paid_ms: int | None = None
    disputed_ms: int | None = None
    paid_ms: int | None = None
    voided_ms: int | None = None


def with_posting_result(life: ChargeHistory, posting_id: str, answer: PostingResult) -> ChargeHistory:
    """The life with an ERP's answer; the same one when it is no news."""
    found = _higher(life.answers.get(posting_id), answer)
    return life if found is None else replace(life, answers={**life.answers, posting_id: found})


def with_invoice_status(life: ChargeHistory, invoice_id: str, notice: InvoiceStatusEvent) -> ChargeHistory:
    """The life with a status of an invoice that lists the charge; the same one when it is no news."""
    key = invoice_id, notice.status
    found = _higher(life.notices.get(key), notice)
    return life if found is None else replace(life, notices={**life.notices, key: found})


def reversed_by(life: ChargeHistory, reversal_id: str) -> ChargeHistory:
    """The life of a charge that has a reversal. There is one at most; of several the least id is named."""
    first = min(reversal_id, life.reversed_by or reversal_id)
    return life if first == life.reversed_by else replace(life, reversed_by=first)


_Ranked = TypeVar("_Ranked", PostingResult, InvoiceStatusEvent)


def _higher(known: _Ranked | None, new: _Ranked) -> _Ranked | None:
    """The new event if it ranks above the known one, else None."""
    return new if known is None or new > known else None


def progress(life: ChargeHistory) -> ChargeStanding:
    """Where the charge stands.

    An invoice that is not voided decides; if several are (which an audit would call false), the last one. Else a
    voided one makes the charge free again. Without any, the ERPs decide; one that refuses makes it refused.
    """
    posted_ms = min((a.at_ms for a in life.answers.values() if a.status == "posted"), default=None)
    if life.notices:
        invoices: dict[str, dict[str, InvoiceStatusEvent]] = {}
        for (invoice_id, status), notice in life.notices.items():
            invoices.setdefault(invoice_id, {})[status] = notice
        live = [name for name, statuses in invoices.items() if _last(statuses).status != "voided"]
        invoice_id = max(live or invoices, key=lambda name: (_last(invoices[name]).at_ms, name))
        return _invoiced(invoice_id, invoices[invoice_id], posted_ms)
    if any(answer.status == "refused" for answer in life.answers.values()):
        return ChargeStanding("refused", posted_ms=posted_ms)
    return ChargeStanding("ready" if posted_ms is None else "posted", posted_ms=posted_ms)


def _last(statuses: Mapping[str, InvoiceStatusEvent]) -> InvoiceStatusEvent:
    return max(statuses.values())


def _invoiced(invoice_id: str, statuses: Mapping[str, InvoiceStatusEvent], posted_ms: int | None) -> ChargeStanding:
    last = _last(statuses)
    at = {status: notice.at_ms for status, notice in statuses.items()}
    return ChargeStanding(
        state=_OF_INVOICE.get(last.status, "voided"),
        invoice_id=invoice_id,
        posted_ms=posted_ms,
        invoiced_ms=at.get("issued"),
        sent_ms=at.get("sent"),
        part_paid_ms=at.get("part_paid"),
        disputed_ms=at.get("disputed"),
        paid_ms=at.get("paid") if last.status == "paid" else None,
        voided_ms=at.get("voided") if last.status == "voided" else None,
    )


def cycle_times(decided_ms: int, stands: ChargeStanding) -> dict[Step, int]:
    """Milliseconds from step to step, of those whose both ends are known; clocks that disagree make no time of it."""
    ends: tuple[tuple[Step, int | None, int | None], ...] = (
        ("decided_to_posted", decided_ms, stands.posted_ms),
        ("posted_to_invoiced", stands.posted_ms, stands.invoiced_ms),
        ("invoiced_to_paid", stands.invoiced_ms, stands.paid_ms),
        ("decided_to_paid", decided_ms, stands.paid_ms),
    )
    return {step: max(end - start, 0) for step, start, end in ends if start is not None and end is not None}


def results_in_order(answers: Iterable[PostingResult]) -> list[PostingResult]:
    """By name of the system."""
    return sorted(answers, key=lambda answer: (answer.system, answer))
