"""The console as one application: pages, and who may see them."""

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from console.access.user import User
from console.pages import everything
from console.pages.failing import failed
from runtime.settings import Settings
from sinks.database import Pool

STATIC = Path(__file__).parent / "static"


def create_app(settings: Settings, pool: Pool, *, everybody: User | None = None) -> FastAPI:
    """The console over a database; `everybody` is who anybody is where nobody needs to log in."""
    app = FastAPI(title="Hourstream console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.pool, app.state.broker, app.state.everybody = pool, settings.broker, everybody
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in everything():
        app.include_router(router)

    @app.exception_handler(HTTPException)
    async def told(request: Request, error: HTTPException) -> Response:
        return failed(request, error)

    return app
