"""File names of documents: one for each invoice id, with any characters."""

from hashlib import sha256
from urllib.parse import quote

_LONGEST = 120  # bytes; with an ending it fits every file system
_KEPT = 100


def file_stem(invoice_id: str) -> str:
    """A name without an ending. Two ids never share one, and none leaves its folder or is hidden.

    Characters other than letters, digits and `_.-` are written `%XX`, so `A/B` and `A-B` differ. A long id keeps its
    beginning and ends with a digest.
    """
    stem = quote(invoice_id, safe="", errors="surrogatepass").replace("~", "%7E")
    if stem.startswith("."):
        stem = f"%2E{stem[1:]}"
    if len(stem) <= _LONGEST:
        return stem
    digest = sha256(invoice_id.encode(errors="surrogatepass")).hexdigest()
    return f"{stem[:_KEPT].rstrip('.')}~{digest[:19]}"
