"""The console's pages: routers of server-rendered HTML over `warehouse.queries`."""

from collections.abc import Iterator

from fastapi import APIRouter


def everything() -> Iterator[APIRouter]:
    """The router of each group of pages."""
    from console.pages import decisions, exceptions, overview, trace

    for group in (overview, exceptions, trace, decisions):
        yield group.router
