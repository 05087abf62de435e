"""Pages of exceptions: by cause, as a list, and one by one with the possible actions."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from console.dependencies import Read, Viewer, found
from console.pages.csv import csv_file
from console.pages.rendering import link, render
from sources.mapping.code_map import CODE
from warehouse.queries import exceptions as read
from warehouse.queries.sql import StoredText
from warehouse.queries.traces import trace
from warehouse.queries.unbilled import summed_at

router = APIRouter(default_response_class=HTMLResponse)
Text = Annotated[str | None, Query(max_length=300)]
FILTERS = ("status", "code", "kind", "missing", "region", "client", "engagement", "owner", "severity")
NOTHING_MISSING = "-"  # in an address: a cause without a missing fact, not all causes of its code
_LONGEST_FILE, _MOST_CAUSES = 100_000, 10_000
_HEADER = (
    "exception_id", "engagement_id", "engagement", "client_id", "client", "subject", "status", "code", "missing",
    "minutes", "currency", "amount_at_stake", "estimate", "region", "owner", "first_seen", "attempts", "message",
    "severity",
)  # fmt: skip


def filters(
    status: Annotated[str, Query(pattern="^(open|waived|resolved)$")] = "open",
    code: Text = None,
    kind: Text = None,
    missing: Text = None,
    region: Text = None,
    client: Text = None,
    engagement: Text = None,
    owner: Text = None,
    severity: Annotated[str, Query(pattern="^(blocking|warning)?$")] = "",
) -> read.Filters:
    """The filters in the address; an empty field is no filter."""
    of_cause = bool(kind and code)
    return read.Filters(
        status=status,
        code=code or None,
        missing_kind=("" if kind == NOTHING_MISSING else kind) if of_cause else None,
        missing_id=(missing or "") if of_cause else None,
        region=region or None,
        client=client or None,
        engagement=engagement or None,
        owner=owner or None,
        severity=severity or None,
    )


Wanted = Annotated[read.Filters, Depends(filters)]


def parameters(wanted: read.Filters, **others: object) -> dict[str, object]:
    """The filters as they stand in an address."""
    named = {name: value for name, value in asdict(wanted).items() if not name.startswith("missing")}
    if wanted.missing_kind is not None:
        named |= {"kind": wanted.missing_kind or NOTHING_MISSING, "missing": wanted.missing_id}
    return {**named, **others}


@router.get("/causes")
def causes(
    request: Request, cursor: Read, user: Viewer, wanted: Wanted, page: Annotated[int, Query(ge=1, le=10_000)] = 1
) -> Response:
    """Exceptions by cause; the largest stake first."""
    wanted = replace(wanted, missing_kind=None, missing_id=None)
    listed = read.causes(cursor, wanted, page, by_money=user.sees_rates)
    return render(
        request, user, "causes.html",
        causes=listed[: read.PAGE], more=len(listed) > read.PAGE, page=page, filters=wanted,
        totals=read.totals(cursor, wanted), choices=read.choices(cursor), at=summed_at(cursor),
        address=lambda **others: link("/causes", **parameters(wanted, **others)),
        export=link("/causes.csv", **parameters(wanted)),
    )  # fmt: skip


@router.get("/causes.csv")
def causes_file(request: Request, cursor: Read, user: Viewer, wanted: Wanted) -> Response:
    """The causes, as many as a spreadsheet holds."""
    listed = read.causes(cursor, wanted, by_money=user.sees_rates, limit=_MOST_CAUSES)
    header = ("code", "missing_kind", "missing_id", "status", "subjects", "minutes", "engagements", "currency",
              "amount_at_stake", "estimated", "first_seen")  # fmt: skip

    def cells(c: read.CauseRow) -> Iterator[Sequence[object]]:
        said = (c.code, c.missing_kind, c.missing_id, c.status, c.subjects, c.minutes, c.engagements)
        for stake in c.stakes or (None,):
            worth = (stake.currency, stake.told, round(stake.estimated, 2)) if stake else ("", None, None)
            yield (*said, *worth, c.first_seen)

    return csv_file(request, user, "causes.csv", header, listed, cells)


@router.get("/exceptions")
def exceptions(
    request: Request,
    cursor: Read,
    user: Viewer,
    wanted: Wanted,
    by: Annotated[str, Query(pattern="^(age|minutes)$")] = "age",
    after: Annotated[str | None, Query(max_length=100)] = None,
    value: Annotated[str, Query(max_length=40, pattern=r"^(\d{1,18}|\d{4}-\d\d-\d\dT[0-9:.+-]+)?$")] = "",
) -> Response:
    """Single exceptions."""
    place = read.Place(value, after) if after and value else None
    listed = read.listed(cursor, wanted, by=by, after=place)
    shown = listed[: read.PAGE]
    last = shown[-1] if len(listed) > read.PAGE else None
    onwards = None
    if last is not None:
        onwards = link(
            "/exceptions",
            **parameters(wanted, by=by, after=last.exception_id, value=_value(by, last)),
        )
    return render(
        request, user, "exceptions.html",
        rows=shown, filters=wanted, by=by, onwards=onwards, first=place is None,
        totals=read.totals(cursor, wanted), choices=read.choices(cursor),
        address=lambda **others: link("/exceptions", **parameters(wanted, **{"by": by, **others})),
        export=link("/exceptions.csv", **parameters(wanted)), mapping=_mapping(wanted.missing_kind, wanted.missing_id),
    )  # fmt: skip


def _value(by: str, row: read.ExceptionRow) -> str:
    return str(row.minutes) if by == "minutes" else row.first_seen.isoformat()


@router.get("/exceptions.csv")
def exceptions_file(request: Request, cursor: Read, user: Viewer, wanted: Wanted) -> Response:
    """The exceptions, the oldest first, as many as a spreadsheet holds well."""

    def cells(e: read.ExceptionRow) -> Iterator[Sequence[object]]:
        yield (
            e.exception_id, e.engagement_id, e.engagement, e.client_id, e.client, e.subject, e.status, e.code,
            StoredText(f"{e.missing_kind} {e.missing_id}".strip()), e.minutes, e.currency, e.amount,
            e.estimate and round(e.estimate, 2), e.region, e.owner, e.first_seen, e.attempts, e.message,
            e.severity,
        )  # fmt: skip

    name = f"exceptions-{date.today():%Y-%m-%d}.csv"  # noqa: DTZ011 - a name
    return csv_file(request, user, name, _HEADER, read.all_listed(cursor, wanted, _LONGEST_FILE), cells)


@router.get("/exceptions/{exception_id}")
def exception(request: Request, cursor: Read, user: Viewer, exception_id: str) -> Response:
    """One exception: its fault, its remedy, its history and the possible decisions."""
    one = read.exception(cursor, exception_id)
    found(one, f"exception {exception_id}")
    assert one is not None  # noqa: S101 - `found` raised
    same = read.Filters(one.status, one.code, one.missing_kind, one.missing_id)
    return render(
        request, user, "exception.html",
        one=one, steps=trace(cursor, one.engagement_id, one.subject), same=read.totals(cursor, same),
        same_link=link("/exceptions", **parameters(same)), mapping=_mapping(one.missing_kind, one.missing_id),
    )  # fmt: skip


def _mapping(kind: str | None, missing: str | None) -> dict[str, str] | None:
    """System, kind and code of a missing code, None for another missing fact."""
    if kind != CODE or not missing or missing.count(":") < 2:
        return None
    parts = missing.split(":", 2)
    if isinstance(missing, StoredText):
        parts = [StoredText(part) for part in parts]
    return dict(zip(("system", "kind", "code"), parts, strict=True))
