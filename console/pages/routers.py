"""The routers of all pages."""

from collections.abc import Sequence

from fastapi import APIRouter

from console.pages import decisions, exceptions, overview, trace

ROUTERS: Sequence[APIRouter] = (overview.router, exceptions.router, trace.router, decisions.router)
