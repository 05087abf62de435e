"""Forms that only our own pages can post."""

from fastapi import Request


def csrf_token(request: Request) -> str:
    """The token a form carries."""
    return str(getattr(request.state, "csrf", ""))
