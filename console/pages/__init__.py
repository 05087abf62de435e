"""The console's pages: routers of server-rendered HTML over `console.read`."""

from collections.abc import Iterator

from fastapi import APIRouter


def everything() -> Iterator[APIRouter]:
    """The router of each group of pages."""
    from console.pages import deciding, overall, stuck, tracing

    for group in (overall, stuck, tracing, deciding):
        yield group.router
