"""The interface of machines: what the console shows and does, under `/api/v1`, described by OpenAPI."""

from collections.abc import Mapping

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPBearer

from console.access.user import require
from console.api import changing, looking
from console.api.problems import Problem, WrongField

PREFIX = "/api/"
VERSION = "/api/v1"
_DESCRIPTION = (
    "What is stuck, why, and what it is worth; traces, charges, invoices and what must tie; and decisions on what is "
    "stuck. Amounts are decimal numbers written as text; null where the token may not see rates. Lists are paged: "
    "`next` of an answer is `after` of the next request."
)


def router() -> APIRouter:
    """Everything under `/api/v1`, its own description too."""
    # For the description only: who asks is looked up by what each route requires.
    everything = APIRouter(prefix=VERSION, dependencies=[Depends(HTTPBearer(auto_error=False))])
    everything.include_router(looking.router)
    everything.include_router(changing.router)

    @everything.get("/openapi.json", include_in_schema=False, dependencies=[Depends(require("viewer"))])
    def description(request: Request) -> JSONResponse:
        """The OpenAPI document."""
        return JSONResponse(openapi(request.app))

    return everything


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
