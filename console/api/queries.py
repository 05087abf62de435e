"""API queries. Every route needs the role viewer; the audit needs admin."""

import time
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from console.access.audit import acts
from console.access.authentication import require
from console.access.user import User
from console.api import models
from console.api.problems import responses
from console.dependencies import Read, Viewer
from warehouse.queries import exceptions as stuck
from warehouse.queries import invoices as invoices_
from warehouse.queries import lists, reconciliation, traced_charges, traces, unbilled
from warehouse.queries import throughput as flow

router = APIRouter(responses=responses())
Thing = TypeVar("Thing")
_PLAIN = r"^[^\x00]*$"  # PostgreSQL has no text with a NUL in it
Text = Annotated[str, Query(max_length=300, pattern=_PLAIN)]
Maybe = Annotated[str | None, Query(max_length=300, pattern=_PLAIN)]
Id = Annotated[str, Path(max_length=300, pattern=_PLAIN)]
After = Annotated[str, Query(max_length=700, pattern=_PLAIN, description="`next` of the answer before; empty at first")]
Limit = Annotated[int, Query(ge=1, le=500, description="most items of an answer")]
Admin = Annotated[User, Depends(require("admin"))]
_MISSING = responses(404)


@router.get("/me")
def me(user: Viewer) -> models.Me:
    """The owner of the token."""
    return models.Me(name=user.name, roles=sorted(user.roles), sees_rates=user.sees_rates, sees_names=user.sees_names)


def filters(
    status: Annotated[str, Query(pattern="^(open|waived|resolved)$")] = "open",
    code: Maybe = None,
    missing_kind: Maybe = None,
    missing_id: Maybe = None,
    region: Maybe = None,
    client: Maybe = None,
    engagement: Maybe = None,
    owner: Maybe = None,
    severity: Annotated[str, Query(pattern="^(blocking|warning)?$")] = "",
) -> stuck.Filters:
    """Filters of a list; an absent filter matches everything."""
    return stuck.Filters(status, code, missing_kind, missing_id, region, client, engagement, owner, severity or None)


Wanted = Annotated[stuck.Filters, Depends(filters)]


@router.get("/exceptions")
def exceptions(
    cursor: Read,
    user: Viewer,
    wanted: Wanted,
    by: Annotated[str, Query(pattern="^(age|minutes)$")] = "age",
    after: Annotated[str, Query(max_length=200, pattern=r"^((\d{1,18}|\d{4}-\d\d-\d\dT[0-9:.+-]+)~[!-~]+)?$")] = "",
    limit: Limit = 50,
) -> models.Page[models.Stuck]:
    """Single exceptions: the oldest first, or the most minutes first."""
    value, _, exception_id = after.partition("~")
    if after and value.isdigit() != (by == "minutes"):
        raise HTTPException(422, "`after` is of a list in another order: use the `next` of this one.")
    place = stuck.Place(value, exception_id) if after else None
    found = stuck.listed(cursor, wanted, by=by, after=place, limit=limit)
    onwards = None
    if len(found) > limit:
        last = found[limit - 1]
        onwards = f"{last.minutes if by == 'minutes' else last.first_seen.isoformat()}~{last.exception_id}"
    return models.Page(items=[models.Stuck.shown(each, user) for each in found[:limit]], next=onwards)


@router.get("/exceptions/{exception_id}", responses=_MISSING)
def exception(cursor: Read, user: Viewer, exception_id: Id) -> models.Stuck:
    """One exception, whatever its status."""
    return models.Stuck.shown(_found(stuck.exception(cursor, exception_id), "exception"), user)


@router.get("/causes")
def causes(
    cursor: Read, user: Viewer, wanted: Wanted, after: Annotated[str, Query(pattern=r"^\d{0,4}$")] = ""
) -> models.Page[models.Cause]:
    """Exceptions by missing fact: the largest stake first, or the most minutes for users who may not see amounts."""
    page = max(int(after or 1), 1)
    found = stuck.causes(cursor, wanted, page, by_money=user.sees_rates)
    onwards = str(page + 1) if len(found) > stuck.PAGE and page < 9999 else None
    return models.Page(items=[models.Cause.shown(each, user) for each in found[: stuck.PAGE]], next=onwards)


@router.get("/trace", responses=_MISSING)
def trace(cursor: Read, user: Viewer, engagement: Text, subject: Text) -> list[models.Step]:
    """Everything that happened to a subject, such as `time:48:2015-03-30`, in order of time."""
    steps = traces.trace(cursor, engagement, subject)
    return [models.Step.shown(step, user) for step in _found(steps or None, "subject")]


@router.get("/charges")
def charges(
    cursor: Read, user: Viewer, engagement: Text, after: After = "", limit: Limit = 50
) -> models.Page[models.InvoiceCharge]:
    """Charges and reversals of an engagement, by subject."""
    subject, _, charge_id = after.rpartition("~")
    found = lists.charges_listed(cursor, engagement, (subject, charge_id) if after else None, limit)
    onwards = f"{found[limit - 1].subject}~{found[limit - 1].charge_id}" if len(found) > limit else None
    return models.Page(items=[models.InvoiceCharge.shown(each, user) for each in found[:limit]], next=onwards)


@router.get("/charges/{charge_id}", responses=_MISSING)
def charge(cursor: Read, user: Viewer, charge_id: Id) -> models.Charge:
    """One charge or reversal: its inputs, its posting and its invoice."""
    return models.Charge.shown(_found(traced_charges.charge(cursor, charge_id), "charge"), user)


@router.get("/invoices")
def invoices(
    cursor: Read,
    user: Viewer,
    client: Maybe = None,
    engagement: Maybe = None,
    status: Annotated[str | None, Query(pattern="^(issued|voided)$")] = None,
    after: After = "",
    limit: Limit = 50,
) -> models.Page[models.Invoice]:
    """Invoices and credit notes, by number."""
    found = lists.invoices_listed(cursor, client=client, engagement=engagement, status=status, after=after, limit=limit)
    onwards = found[limit - 1].invoice_id if len(found) > limit else None
    return models.Page(items=[models.Invoice.shown(each, user) for each in found[:limit]], next=onwards)


@router.get("/invoices/{invoice_id}", responses=_MISSING)
def invoice(cursor: Read, user: Viewer, invoice_id: Id) -> models.InvoiceDetail:
    """One invoice and its statuses."""
    one = _found(invoices_.invoice(cursor, invoice_id), "invoice")
    statuses = invoices_.statuses_of(cursor, [invoice_id])
    return models.InvoiceDetail(
        invoice=models.Invoice.shown(one, user),
        statuses=[models.InvoiceStatus.shown(each, user) for each in statuses],
    )


@router.get("/invoices/{invoice_id}/charges", responses=_MISSING)
def invoice_charges(
    cursor: Read, user: Viewer, invoice_id: Id, after: After = "", limit: Limit = 50
) -> models.Page[models.InvoiceCharge]:
    """The charges on an invoice, by id."""
    _found(invoices_.invoice(cursor, invoice_id), "invoice")
    found = invoices_.charges_on(cursor, invoice_id, after, limit)
    onwards = found[limit - 1].charge_id if len(found) > limit else None
    return models.Page(items=[models.InvoiceCharge.shown(each, user) for each in found[:limit]], next=onwards)


@router.get("/reconciliation")
def reconciled(cursor: Read, user: Viewer) -> models.Reconciliation:
    """The statements that must be true, with their figures."""
    figures = reconciliation.figures(cursor)
    return models.Reconciliation(
        at=unbilled.summed_at(cursor),
        minutes=models.Minutes.shown(reconciliation.minutes(figures), user),
        money=[models.Ties.shown(each, user) for each in reconciliation.ties(figures)],
    )


@router.get("/figures")
def all_figures(cursor: Read, user: Viewer) -> list[models.Figure]:
    """All sums over everything."""
    return [models.Figure.shown(each, user) for each in reconciliation.figures(cursor)]


@router.get("/unbilled")
def aging(cursor: Read, user: Viewer) -> list[models.Aged]:
    """Unbilled work by stage, region, currency and age."""
    return [models.Aged.shown(each, user) for each in unbilled.aged(cursor, datetime.now(UTC).date())]


@router.get("/throughput")
def throughput(
    cursor: Read, user: Viewer, by: Annotated[str, Query(pattern="^(minute|hour)$")] = "minute"
) -> list[models.Slot]:
    """Records received and failed: the last 60 minutes, or 48 hours."""
    minutes, number = (1, 60) if by == "minute" else (60, 48)
    slots = flow.slots(cursor, int(time.time()), minutes=minutes, number=number)
    return [models.Slot.shown(each, user) for each in slots]


@router.get("/acts")
def audited(
    cursor: Read, user: Admin, after: Annotated[str, Query(pattern=r"^\d{0,18}$")] = "", limit: Limit = 50
) -> models.Page[models.ActDone]:
    """Acts with actor, reason and time; the newest first. Needs the role admin."""
    found = acts(cursor, int(after) if after else None, limit)
    onwards = str(found[limit - 1].act_id) if len(found) > limit else None
    return models.Page(items=[models.ActDone.shown(each, user) for each in found[:limit]], next=onwards)


def _found(thing: Thing | None, what: str) -> Thing:
    if thing is None:
        raise HTTPException(404, f"There is no such {what}, or it has not arrived yet.")
    return thing
