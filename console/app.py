"""The console as one application: pages, API and access control."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from psycopg import DataError
from starlette.exceptions import HTTPException

from common.errors import Unreachable
from console.access import login
from console.access.authentication import Access, identify
from console.access.csrf import ours
from console.access.oidc import Provider
from console.access.route_guard import check_doors
from console.access.security_headers import LARGEST_BODY, Shield, refuse_public
from console.access.settings import AccessSettings
from console.access.user import User
from console.api import router as api
from console.api.problems import problem
from console.connections import Connections
from console.errors import failed
from console.pages.rendering import render
from console.pages.routers import ROUTERS
from privacy.open_vault import vault_of
from settings import Settings
from storage.postgres import Pool

STATIC = Path(__file__).parent / "static"
ADDRESS = "http://127.0.0.1:8600"


def create_app(
    settings: Settings,
    pool: Pool,
    *,
    everybody: User | None = None,
    access: AccessSettings | None = None,
    address: str = ADDRESS,
) -> FastAPI:
    """The console over a database, served on `address` (or on the one that the settings of access name).

    `everybody` is the anonymous user when login is off. Raises OpenDoor for a route that requires no role, and
    PublicAndOpen if others could reach the console without a login.
    """
    access = access or AccessSettings.load()
    url = (access.console_url or address).rstrip("/")
    if everybody is not None:
        refuse_public(url)
    provider = Provider(access, url + login.CALLBACK) if access.oidc_issuer else None
    app = FastAPI(
        title="Hourstream console",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(identify), Depends(ours)],
        max_body_size=LARGEST_BODY,
        lifespan=_closing(provider),
    )
    app.state.broker, app.state.vault = settings.broker, vault_of(settings, pool)
    app.state.connections = Connections(pool, access.console_wait_seconds)
    app.state.access = Access(access, url, everybody, provider)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for router in (login.router(_leaving), api.router(), *ROUTERS):
        app.include_router(router)
    for kind in (HTTPException, RequestValidationError, DataError, Unreachable):
        app.add_exception_handler(kind, _failed)
    app.add_middleware(Shield, url=url, is_open=everybody is not None)
    check_doors(app)
    return app


def _closing(provider: Provider | None) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        if provider is not None:
            provider.close()

    return lifespan


def _failed(request: Request, error: Exception) -> Response:
    if request.url.path.startswith(api.PREFIX):
        return problem(request, error)
    anonymous = isinstance(error, HTTPException) and error.status_code == 401 and "authorization" not in request.headers
    if anonymous and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(asked, safe='')}", 303)
    return failed(request, error)


def _leaving(request: Request, user: User, template: str, elsewhere: str | None) -> HTMLResponse:
    return render(request, user, template, elsewhere=elsewhere)
