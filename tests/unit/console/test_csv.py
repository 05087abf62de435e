"""CSV files that a spreadsheet opens: text stays text."""

import asyncio
import csv
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from starlette.requests import Request
from starlette.types import Message

from console.access.user import User
from console.pages.csv import csv_file, safe


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =cmd|' /C calc'!A0",
        '=HYPERLINK("x")',
        " @x",
        "-2+3",
        "\ufeff=1",
        "\u200b=1",
        "\u200d\u2060@x",
        "\u00ad=1",
        "\u3000=1",
        "\u00a0+1",
        "\u2028=1",
        "\x00=1",
        "\x1b=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "﹢1",
        "﹣1",
        "﹦1",
        "﹫x",
        "\u22121",
        "\ufeff \u200e＝1",
        "\u180e=1",
        "\u034f=1",
        "\U000e0020=1",
        "\u115f=1",
        "\u3164=1",
    ],
)
def test_text_that_would_be_run_is_held(text: str) -> None:
    assert safe(text) == f"'{text}"


def test_everything_else_is_as_it_was() -> None:
    for cell in ("a=b", "time:48", "", 7, -7, Decimal("-12.50"), "1-2"):
        assert safe(cell) == cell
    assert safe(None) == ""
    assert safe(datetime(2025, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2025-01-02T03:04:05+00:00"


def test_a_file_is_what_a_reader_reads() -> None:
    rows = [('Smith, "J"', Decimal("-1.5")), ("=x\nline", None), ("\ud800", None)]
    request = Request({"type": "http", "app": SimpleNamespace(state=SimpleNamespace(vault=None))})
    ada = User("ada", frozenset({"viewer"}), sees_rates=True)
    answer = csv_file(request, ada, "a.csv", ("name", "amount"), rows, lambda row: [row])

    sent = list[bytes]()

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    asyncio.run(answer(request.scope | {"method": "GET", "headers": []}, receive, send))
    read = list(csv.reader(b"".join(sent).decode().splitlines(keepends=True)))
    assert read == [["name", "amount"], ['Smith, "J"', "-1.5"], ["'=x\nline", ""], ["\\ud800", ""]]
    assert answer.headers["content-disposition"] == 'attachment; filename="a.csv"'
