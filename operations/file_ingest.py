"""Publishes files on their source's topics: all of a file or nothing, and each file once.

One transaction holds the records of a file, the dead letters of its bad rows and a line in `files.taken`. A process
that is killed at any point leaves all of that or nothing, so its successor only has to check whether the file is in the
list.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

from confluent_kafka import KafkaError, KafkaException, Producer

from common.fault_injection import fault_point
from common.timestamps import instant
from operations.reexport import Corrections, corrected
from privacy.encrypt import Encryption
from privacy.vault import Vault
from schemas.codec import encode
from schemas.json_codec import from_json
from sources import reviews
from sources.files.parse import BadRow, Taken
from streaming.producing import produce
from streaming.topic_reader import read_valid
from streaming.transactions import producer_config
from topics import topic_names
from topics.dead_letter_record import DEAD_LETTERS, clean, cut, dead_letter

TAKEN = topic_names.FILES_TAKEN
_TRANSACTION_MS = 600_000
_SECONDS = 120


class AnotherTakes(RuntimeError):
    """Another process has begun to take files of the same source."""


class FilePublisher:
    """Publishes files of a source; of several with one `name` (a command, a folder), the last one started continues
    alone.

    With a vault, personal data is encrypted.
    """

    def __init__(self, broker: str, system: str, name: str, vault: Vault | None = None) -> None:
        self.system, self._broker, self._vault = system, broker, vault
        settings = {"transactional.id": f"hourstream-{name}-{system}", "transaction.timeout.ms": _TRANSACTION_MS}
        self._producer = Producer({**producer_config(broker), **settings})
        # This aborts every open transaction of a killed predecessor, so the next read is complete.
        self._producer.init_transactions(60)
        self._taken: dict[str, Mapping[str, object]] = {}
        self._read_taken()

    def _read_taken(self) -> None:
        for _, value in read_valid(self._broker, [TAKEN]):
            if value["system"] == self.system:
                self._taken[str(value["sha256"])] = value

    def remembers(self, sha256: str) -> bool:
        """Whether these contents were ingested by this process, or before it was started."""
        return sha256 in self._taken

    def taken(self, sha256: str) -> Mapping[str, object] | None:
        """The record of a file with these contents; None if it was never ingested."""
        if sha256 not in self._taken:
            self._read_taken()
        return self._taken.get(sha256)

    def publish(self, taken: Taken, by: str, closes: str | None = None) -> Corrections:
        """Publish a file; with `closes` (YYYY-MM) it is complete for that month. Returns what a person has to decide.

        Raises AnotherTakes, or KafkaException when nothing of it was published.
        """
        clear = taken
        if self._vault is not None:
            # Its keys are on the disk before anything is published.
            taken = replace(taken, bad=[_cut(bad) for bad in taken.bad])
            taken = Encryption(self._vault).file(taken, had_files=bool(self._taken))
        taken, corrections = corrected(self._broker, clear, taken, closes, self._vault)
        self._producer.begin_transaction()
        try:
            note = self._produce_all(taken, by)
            if self._producer.flush(_SECONDS):
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            fault_point("files:flushed")
            self._producer.commit_transaction(_SECONDS)
        except KafkaException as error:
            if error.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
                raise AnotherTakes(f"another process takes files of {self.system} as this one does") from error
            self._producer.abort_transaction(_SECONDS)
            raise
        except BaseException:
            self._producer.abort_transaction(_SECONDS)
            raise
        self._taken[taken.sha256] = note
        fault_point("files:committed")
        return corrections

    def _produce_all(self, taken: Taken, by: str) -> dict[str, object]:
        for review in taken.reviews:
            said = {**review, "system": taken.system, "by": by, "occurred_at": instant(int(time.time() * 1000))}
            of = reviews.key_of(taken.system, str(review["entity"]), str(review["record_id"]))
            produce(self._producer, reviews.TOPIC, of.encode(), encode(reviews.TOPIC, said))
        for row in taken.records:
            headers = {**_of_file(taken), "file.line": b"%d" % row.line, "file.row": row.raw}
            if row.hold is not None:
                headers[reviews.HEADER] = reviews.header_of(row.hold)
            value = encode(row.topic, from_json(row.topic, row.record))
            produce(self._producer, row.topic, row.id.encode(), value, headers)
        for bad in taken.bad:
            key, letter = _dead_letter(taken, bad)
            produce(self._producer, DEAD_LETTERS, key, letter)
        note: dict[str, object] = {
            "sha256": taken.sha256,
            "system": taken.system,
            "name": clean(taken.name),
            "rows": taken.read,
            "records": len(taken.records),
            "joined": taken.joined,
            "bad": len(taken.bad),
            "taken_at": instant(int(time.time() * 1000)),
            "by": by,
        }
        produce(self._producer, TAKEN, f"{taken.system}:{taken.sha256}".encode(), encode(TAKEN, note))
        return note


def _cut(bad: BadRow) -> BadRow:
    """The row, short enough to be encrypted."""
    raw, note = cut(bad.raw)
    return replace(bad, raw=raw, why="; ".join(filter(None, (bad.why, note))))


def _of_file(taken: Taken) -> dict[str, bytes]:
    return {"file.name": clean(taken.name).encode(), "file.sha256": taken.sha256.encode()}


def _dead_letter(taken: Taken, bad: BadRow) -> tuple[bytes, bytes]:
    """A bad row with its own bytes; where it was read is the file and the line."""
    error, headers = f"{taken.name}:{bad.line}: {bad.why}", tuple(_of_file(taken).items())
    return dead_letter(taken.name, 0, bad.line, error=error, stage="ingest", value=bad.raw, headers=headers)
