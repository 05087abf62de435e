"""Publishes lines of `{"topic", "key", "value"}`; an invalid line goes to `dead.letters` whole."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from common.errors import InvalidRecord
from schemas.errors import UnknownSchema
from streaming.publisher import RecordEncryption, RecordPublisher
from topics.catalogue import MASTERS, TOPICS, TRANSACTIONS
from topics.dead_letter_record import DEAD_LETTERS, clean, cut, dead_letter

PUBLISHABLE = frozenset({*MASTERS, *TRANSACTIONS, *(name for name in TOPICS if name.startswith("source."))})


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line of a file that could not be published as a record."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


class Publisher(RecordPublisher):
    """Publishes the lines of files too; lines that are no record are `rejected`."""

    def __init__(self, broker: str, sealing: RecordEncryption | None = None) -> None:
        super().__init__(broker, sealing)
        self.rejected: list[RejectedLine] = []

    def publish_file(self, path: Path) -> None:
        """Every line of a file, in order; empty lines are none."""
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if raw.strip():
                    self._publish_line(path.name, number, raw.rstrip(b"\r\n"))

    def _publish_line(self, name: str, number: int, raw: bytes) -> None:
        try:
            line = json.loads(raw)
            if not isinstance(line, dict) or not {"topic", "key", "value"} <= line.keys():
                raise InvalidRecord('a line is an object with "topic", "key" and "value"')
            if not isinstance(line["topic"], str) or not isinstance(line["key"], str):
                raise InvalidRecord('"topic" and "key" are strings')
            if line["topic"] not in PUBLISHABLE:
                raise InvalidRecord(
                    f"{line['topic']} is no topic of facts or of a source: see `hourstream topics list`"
                )
            self.publish(line["topic"], line["key"], line["value"])
        except (ValueError, RecursionError, UnknownSchema) as error:
            why = f"no JSON: {error}" if isinstance(error, json.JSONDecodeError) else str(error)
            self._reject(RejectedLine(clean(name), number, clean(why)), raw)

    def _reject(self, line: RejectedLine, raw: bytes) -> None:
        self.rejected.append(line)
        if self._sealing is not None:
            raw, note = cut(raw)
            line = replace(line, why="; ".join(filter(None, (line.why, note))))
            line = replace(line, why=self._sealing.line(line.file, line.why.encode()))
            raw = self._sealing.line(line.file, raw).encode()
        key, letter = dead_letter(line.file, 0, line.line, error=str(line), stage="run", value=raw)
        self._produce(DEAD_LETTERS, key, letter)
