"""Mapping files of billing applications: how a charge becomes a request, and an answer a posting, without any Python.

    path      the path for charges, after the target's url. Text around the charge's fields if each charge has a path of
              its own; `method` is POST, or PUT or PATCH
    fields    the request's body, of one charge
    headers   further headers: constants
    batch     one request carries several charges; without it each has one of its own
        size      the most charges of a request: a longer batch is sent in pages
        items     the field of the body with the list of charges
        around    the fields beside that list: constants
        together  a list of paths: charges that differ there never share a request
        keyed     false: a batch has no Idempotency-Key, its items' keys only. For applications that keep refusals
                  under a key, and would repeat them for the same charges after a correction
    statuses  the meaning of HTTP statuses: `posted` (default 200, 201, 202), `refused` (default 400, 422). After any
              other the result is unknown, and the charge is offered again
    answer    the places in the answer's JSON, as paths
        reference the application's own number for the charge
        reason    the reason of a refusal
        result    the word for the outcome of the charge; then `posted` and `refused` list the words. After any other
                  word the charge is offered again
        items     of a batch: the list of answers, which have `key`, `result`, `reference` and `reason` each
        key       of an item: the charge_id it answers, which `fields` must therefore send

A value of `fields` is one of

    acme, 30, true, null, "8.5"         a constant; decimals in quotes
    $engagement_id, $lineage.source     a field of the charge (DOMAIN.md §3); decimals as text, days in ISO 8601
    ${period}/${client_id}              text around fields
    {$translate: $tax_category, to: {S: standard}}
                                        by a table; a charge with another code is refused
    {$decimal: $amount, places: 2}      as text with so many places, or `places: currency` for those of its currency
    {$number: $amount, places: 2}       the same as a JSON number
    {$minor: $amount}                   in whole minor units of the currency
    {$date: $work_date, format: "%d.%m.%Y"}
                                        a day or instant as `strftime` writes it
    {$each: $components, fields: {...}} a record for each item of a list, whose fields the paths then are
    {number: $po_number, ...}, [...]    a nested record, a list

Empty values of the charge are left out. Nothing is rounded: a charge that does not fit is refused, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as File

from schemas.codec import shape
from schemas.schema_types import Shape
from sinks.http.checking import check
from sinks.http.template_ast import Value, path_of, value_of
from sources.mapping.ast import Constant, Path, Scalar, Template
from sources.mapping.errors import MappingError
from sources.mapping.parser import path_or_text
from sources.mapping.yaml_nodes import Node, parsed
from topics.catalogue import CHARGES_TOPIC

__all__ = ["Answers", "HttpMapping", "MappingError", "RequestBatch", "load", "read"]

_METHODS = ("POST", "PUT", "PATCH")
_MOST = 5000  # charges of a request


@dataclass(frozen=True, slots=True)
class RequestBatch:
    """Several charges in one request."""

    size: int
    items: str
    around: Mapping[str, Scalar]
    together: tuple[Path, ...]
    keyed: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """The places of the fields in an answer."""

    reference: Path | None
    reason: Path | None
    result: Path | None
    posted: frozenset[str]
    refused: frozenset[str]
    items: Path | None
    key: Path | None


@dataclass(frozen=True, slots=True)
class HttpMapping:
    """A whole mapping file."""

    file: str
    method: str
    path: Constant | Path | Template
    fields: Mapping[str, Value]
    headers: Mapping[str, str]
    batch: RequestBatch | None
    posted: frozenset[int]
    refused: frozenset[int]
    answer: Answers


def load(file: File) -> HttpMapping:
    """The mapping in a file. Raises MappingError with file, line and remedy."""
    try:
        return read(str(file), file.read_text(encoding="utf-8"))
    except OSError as unreadable:
        raise MappingError(str(file), 1, f"cannot be read: {unreadable.strerror}") from None
    except UnicodeDecodeError:
        raise MappingError(str(file), 1, "is not UTF-8 text; save it as UTF-8") from None


def read(file: str, text: str) -> HttpMapping:
    """The mapping in a text; `file` is the name to use in errors."""
    root = parsed(file, text)
    found = root.record("a mapping", ("path", "fields"), ("method", "headers", "batch", "statuses", "answer"))
    charge = shape(CHARGES_TOPIC)
    fields = {name: value_of(value) for name, value in found["fields"].entries("fields").items()}
    for name, node in found["fields"].entries("fields").items():
        check(node, fields[name], charge)
    batch = _batch(found["batch"], charge) if "batch" in found else None
    return HttpMapping(
        file,
        _method(found["method"]) if "method" in found else "POST",
        _path(found["path"], charge, batch),
        fields,
        _headers(found["headers"]) if "headers" in found else {},
        batch,
        *_statuses(found.get("statuses")),
        _answer(found.get("answer"), root, batch),
    )


def _method(node: Node) -> str:
    method = node.text("method")
    if method not in _METHODS:
        raise node.wrong(f"method is {method!r}; write one of {', '.join(_METHODS)}")
    return method


def _path(node: Node, charge: Shape, batch: RequestBatch | None) -> Constant | Path | Template:
    path = path_or_text(node, node.text("path"))
    if not node.text("path").startswith("/"):
        raise node.wrong("path must begin with a slash: it follows the target's url")
    if batch is not None and not isinstance(path, Constant):
        raise node.wrong("the path of a batch cannot depend on a charge")
    check(node, path, charge)
    return path


def _headers(node: Node) -> dict[str, str]:
    return {name: value.text(f"header {name}") for name, value in node.entries("headers").items()}


def _batch(node: Node, charge: Shape) -> RequestBatch:
    found = node.record("batch", ("size", "items"), ("around", "together", "keyed"))
    size = found["size"].scalar("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= _MOST:
        raise found["size"].wrong(f"size is {size!r}; write a number of charges, 1 to {_MOST}")
    around = found["around"].entries("around") if "around" in found else {}
    together = found["together"].items("together") if "together" in found else []
    paths = tuple(path_of(item, "an item of together") for item in together)
    for item, path in zip(together, paths, strict=True):
        check(item, path, charge)
    constants = {name: each.scalar(name) for name, each in around.items()}
    keyed = found["keyed"].flag("keyed") if "keyed" in found else True
    return RequestBatch(size, found["items"].text("items"), constants, paths, keyed)


def _statuses(node: Node | None) -> tuple[frozenset[int], frozenset[int]]:
    found = {} if node is None else node.record("statuses", (), ("posted", "refused"))
    posted = _codes(found["posted"], "posted") if "posted" in found else frozenset({200, 201, 202})
    refused = _codes(found["refused"], "refused") if "refused" in found else frozenset({400, 422}) - posted
    if node is not None and (both := posted & refused):
        raise node.wrong(f"status {min(both)} cannot be both posted and refused")
    return posted, refused


def _codes(node: Node, what: str) -> frozenset[int]:
    codes = [(item, item.scalar(what)) for item in node.items(what)]
    for item, code in codes:
        if not isinstance(code, int) or isinstance(code, bool) or not 200 <= code <= 599:
            raise item.wrong(f"{code!r} is no HTTP status; write numbers from 200 to 599")
    return frozenset(code for _, code in codes if isinstance(code, int))


def _answer(node: Node | None, root: Node, batch: RequestBatch | None) -> Answers:
    names = ("reference", "reason", "result", "items", "key")
    found = {} if node is None else node.record("answer", (), (*names, "posted", "refused"))
    paths = {name: path_of(found[name], name) if name in found else None for name in names}
    words = {
        name: frozenset(str(item.scalar(name)) for item in found[name].items(name))
        if name in found
        else frozenset[str]()
        for name in ("posted", "refused")
    }
    where = node or root
    if (paths["result"] is None) != (not words["posted"]):
        raise where.wrong("`result` and `posted` belong together: where the word is, and which words mean posted")
    if words["posted"] & words["refused"]:
        raise where.wrong(f"{min(words['posted'] & words['refused'])!r} cannot mean both posted and refused")
    if batch is not None:
        for name in ("items", "key", "result"):
            if paths[name] is None:
                raise where.wrong(f"the answer to a batch needs `{name}`; add it")
    elif paths["items"] is not None or paths["key"] is not None:
        raise where.wrong("`items` and `key` are of the answer to a batch; this mapping has no `batch`")
    return Answers(
        paths["reference"],
        paths["reason"],
        paths["result"],
        words["posted"],
        words["refused"],
        paths["items"],
        paths["key"],
    )
