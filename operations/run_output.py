"""The files of a run (DESIGN §7): ledger, charges, exceptions, audit and summary; and its own home."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from assurance.ledger_reader import Books, Line
from assurance.statements import Statement, as_json
from operations.jsonl_ingest import Publisher
from schemas.json_codec import to_json
from settings import Settings


def isolated(settings: Settings) -> "_Isolated":
    """The settings with a home of their own for one run, removed at its end; unchanged where a broker is named."""
    return _Isolated(settings)


class _Isolated:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home: Path | None = None

    def __enter__(self) -> Settings:
        if self._settings.broker is not None:
            return self._settings
        self._settings.home.mkdir(parents=True, exist_ok=True)
        self._home = Path(tempfile.mkdtemp(prefix="run-", dir=self._settings.home))
        return self._settings.model_copy(update={"home": self._home})

    def __exit__(self, *_: object) -> None:
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)


def write_run(out_dir: Path, books: Books, found: list[Statement], publisher: Publisher) -> dict[str, object]:
    """Write the files of a run into `out_dir`; returns the content of summary.json."""
    out_dir.mkdir(parents=True, exist_ok=True)
    ledger = books.ledger()
    _lines(out_dir / "ledger.jsonl", iter(ledger))
    _lines(out_dir / "charges.jsonl", _sorted(books, "billing.ready"))
    _lines(out_dir / "exceptions.jsonl", _sorted(books, "billing.exceptions"))
    _document(out_dir / "audit.json", as_json(found))
    summary: dict[str, object] = {
        "published": publisher.published,
        "rejected_lines": [str(line) for line in publisher.rejected],
        "unreadable_records": books.unreadable,
        "subjects": len(ledger),
        "states": dict(sorted(Counter(str(line["state"]) for line in ledger).items())),
        "codes": dict(sorted(Counter(str(line["code"]) for line in ledger if line["code"]).items())),
        "amounts": _amounts(ledger),
        "audit_all_true": all(statement.holds for statement in found),
    }
    _document(out_dir / "summary.json", summary)
    return summary


def _sorted(books: Books, topic: str) -> Iterator[Line]:
    if topic == "billing.ready":
        records = [record for _, each in sorted(books.charges.items()) for record in each]
    else:
        records = [record for _, record in sorted(books.exceptions.items())]
    return (to_json(topic, record) for record in records)


def _amounts(ledger: list[Line]) -> dict[str, str]:
    from decimal import Decimal

    totals: dict[str, Decimal] = {}
    for line in ledger:
        if line["currency"] is not None:
            currency = str(line["currency"])
            totals[currency] = totals.get(currency, Decimal(0)) + Decimal(str(line["amount"]))
    return {currency: str(total) for currency, total in sorted(totals.items())}


def _lines(path: Path, values: Iterator[Line]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def _document(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
