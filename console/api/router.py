"""The API for machines: the console's data and actions under `/api/v1`, described by OpenAPI."""

from collections import Counter
from collections.abc import Iterator, Mapping

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPBearer

from console.access.authentication import require
from console.api import commands, queries
from console.api.problems import Problem, WrongField

PREFIX = "/api/"
VERSION = "/api/v1"
_DESCRIPTION = (
    "Exceptions with cause and value; traces, charges, invoices and reconciliation; and decisions on parked "
    "work. Amounts are decimal numbers written as text; null where the token may not see rates. Lists are paged: "
    "`next` of an answer is `after` of the next request."
)


def router() -> APIRouter:
    """Everything under `/api/v1`, its own description too."""
    # For the description only: each route's own dependencies identify the user.
    everything = APIRouter(prefix=VERSION, dependencies=[Depends(HTTPBearer(auto_error=False)), Depends(only_known)])
    everything.include_router(queries.router)
    everything.include_router(commands.router)

    @everything.get("/openapi.json", include_in_schema=False, dependencies=[Depends(require("viewer"))])
    def description(request: Request) -> JSONResponse:
        """The OpenAPI document."""
        return JSONResponse(openapi(request.app))

    return everything


def only_known(request: Request) -> None:
    """A dependency: the 422 of a parameter that the route does not have, or that is given twice."""
    known = set(_queries(request.scope["route"].dependant))
    given = Counter(name for name, _ in request.query_params.multi_items())
    wrong = [(name, "there is no such parameter") for name in given if name not in known]
    wrong += [(name, "give this parameter once") for name, times in given.items() if times > 1 and name in known]
    if wrong:
        raise RequestValidationError([{"loc": ("query", name), "msg": message} for name, message in wrong])


def _queries(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for each in dependant.dependencies:
        yield from _queries(each)


def openapi(app: FastAPI) -> Mapping[str, object]:
    """The OpenAPI document of the interface."""
    routes = [route for route in iter_route_contexts(app.routes) if str(route.path).startswith(PREFIX)]
    document = get_openapi(
        title="Hourstream", version="1", summary="Finance operations", description=_DESCRIPTION, routes=routes
    )
    schemas = document["components"]["schemas"]
    for shape in (Problem, WrongField):
        schemas[shape.__name__] = shape.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas[shape.__name__].pop("$defs", None)
    return document
