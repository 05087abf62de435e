"""A firm's workbook on a running stream: cells changed by openpyxl, commands typed as a person types them."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from openpyxl import load_workbook

from cli.main import main
from schemas.codec import decode_for
from streaming.topic_reader import read_all
from tests.integration.stream.running import Running


@dataclass(slots=True)
class FirmStream:
    """A running stream and the workbook of a firm."""

    running: Running
    book: Path

    def edit(self, cells: dict[str, object]) -> None:
        """Change cells: {"Rate lines!B3": 150}."""
        edit(self.book, cells)

    def types(self, *arguments: object, code: int = 0, **settings: str) -> Result:
        """Run a command that ends with `code`, with some settings."""
        environment = {**self.running.settings.environment(), **settings}
        done = CliRunner().invoke(main, [str(each) for each in arguments], env=environment)
        assert done.exit_code == code, done.output
        return done

    def answers(self, *arguments: object) -> Any:  # noqa: ANN401 - JSON of any shape
        """Run a command and read its JSON."""
        return json.loads(self.types(*arguments, "--json").stdout)

    def publishes(self, *arguments: object) -> str:
        """Publish the workbook, wait until it is worked off; the `+ ~ =` that the command tells."""
        told = self.answers("publish", self.book, "--by", "anna", *arguments)
        self.running.rest()
        summary: str = told["summary"]
        return summary

    def counts(self) -> dict[str, int]:
        """{topic: records} of all masters and facts."""
        found: dict[str, int] = {}
        for topic in ("master.rate-cards", "master.clients", "master.engagements", "time.entries"):
            found[topic] = sum(1 for _ in read_all(self.running.broker, [topic]))
        return found

    def charges(self) -> list[dict[str, Any]]:
        """Every charge and reversal so far, in the order of each engagement."""
        return [decode_for(r.topic, r.value or b"") for r in read_all(self.running.broker, ["billing.ready"])]


def edit(book: Path, cells: dict[str, object]) -> None:
    """Change cells of a workbook: {"Rate lines!B3": 150}."""
    loaded = load_workbook(book)
    for where, value in cells.items():
        sheet, _, cell = where.partition("!")
        loaded[sheet][cell] = value
    loaded.save(book)


def amounts(charges: list[dict[str, Any]], currency: str = "EUR") -> tuple[Decimal, Decimal]:
    """(credited, charged) of charges of one currency: what reversals take back, what is billed."""
    of = [each for each in charges if each["currency"] == currency]
    credited = -sum((each["amount"] for each in of if each["reverses"] is not None), Decimal(0))
    return credited, sum((each["amount"] for each in of if each["reverses"] is None), Decimal(0))
