"""Redirects of a browser to our own pages only."""

_LONGEST = 2000


def local(address: str) -> str:
    """The address if it is one of our own paths, else the first page. Browsers read a backslash as a slash."""
    plain = address.isascii() and address.isprintable() and "\\" not in address and len(address) <= _LONGEST
    return address if plain and address.startswith("/") and not address.startswith("//") else "/"
