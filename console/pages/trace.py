"""Pages of one object: a subject's timeline, a charge and its rate, an invoice; and the search."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from console.dependencies import Read, Viewer, found
from console.pages.rendering import link, render
from warehouse.queries import invoices, traced_charges, traces
from warehouse.queries.rates import competition
from warehouse.queries.search import SearchHit, search

router = APIRouter(default_response_class=HTMLResponse)
Id = Annotated[str, Query(max_length=300)]


def address_of(thing: SearchHit) -> str:
    """The page of something that was found."""
    match thing.kind:
        case "invoice":
            return link("/invoice", id=thing.id)
        case "charge":
            return link("/charge", id=thing.id)
        case "exception":
            return f"/exceptions/{quote(thing.id, safe='')}"
        case "engagement":
            return link("/exceptions", engagement=thing.id)
        case "client":
            return link("/exceptions", client=thing.id)
        case _:
            return link("/trace", engagement=thing.engagement_id, subject=thing.subject)


@router.get("/search")
def searched(request: Request, cursor: Read, user: Viewer, q: Id = "") -> Response:
    """Objects with this id; a single match redirects to its page."""
    things = search(cursor, q) if q.strip() else []
    if len(things) == 1:
        return RedirectResponse(address_of(things[0]), 303)
    return render(request, user, "search.html", q=q, things=[(thing, address_of(thing)) for thing in things])


@router.get("/trace")
def traced(request: Request, cursor: Read, user: Viewer, subject: Id = "", engagement: Id = "") -> Response:
    """The timeline of a subject."""
    steps = traces.trace(cursor, engagement, subject) if subject else []
    if subject:
        found(steps or None, f"{subject} of {engagement or 'any engagement'}")
    return render(request, user, "trace.html", subject=subject, engagement=engagement, steps=steps)


@router.get("/charge")
def charge(request: Request, cursor: Read, user: Viewer, id: Id) -> Response:
    """A charge: its derivation, its components, and the rates that competed."""
    one = traced_charges.charge(cursor, id)
    found(one, f"charge {id}")
    assert one is not None  # noqa: S101 - `found` raised
    cards = competition(cursor, one) if one.rate is not None and user.sees_rates else []
    return render(request, user, "charge.html", one=one, cards=cards)


@router.get("/invoice")
def invoice(request: Request, cursor: Read, user: Viewer, id: Id, after: Id = "") -> Response:
    """An invoice: its statuses, and the charges on it."""
    one = invoices.invoice(cursor, id)
    found(one, f"invoice {id}")
    charges = invoices.charges_on(cursor, id, after)
    shown = charges[:100]
    onwards = link("/invoice", id=id, after=shown[-1].charge_id) if len(charges) > len(shown) else None
    return render(
        request, user, "invoice.html",
        one=one, statuses=invoices.statuses_of(cursor, [id]), charges=shown, onwards=onwards,
    )  # fmt: skip
