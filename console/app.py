"""The console as one application: pages, and who may see them."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from psycopg import DataError
from starlette.exceptions import HTTPException

from console.access.user import User
from console.pages import everything
from console.pages.failing import failed
from runtime.settings import Settings
from sinks.contract import Unreachable
from sinks.database import Pool

STATIC = Path(__file__).parent / "static"


def create_app(settings: Settings, pool: Pool, *, everybody: User | None = None) -> FastAPI:
    """The console over a database; `everybody` is who anybody is where nobody needs to log in."""
    app = FastAPI(title="Hourstream console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.pool, app.state.broker, app.state.everybody = pool, settings.broker, everybody
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in everything():
        app.include_router(router)

    for kind in (HTTPException, RequestValidationError, DataError, Unreachable):
        app.add_exception_handler(kind, failed)
    return app
