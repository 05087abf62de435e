"""Checks the signature and age of webhook messages and publishes them on their source's topics. No HTTP here."""

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from confluent_kafka import KafkaError, KafkaException

from common.errors import Unreachable
from operations.file_ingest import AnotherTakes, FilePublisher
from privacy.errors import PeopleError
from sources.files.parse import Taken, take
from sources.files.tables import BadRow, Row, UnreadableFile, read_table
from sources.mapping.ast import Layout, SourceMapping, Webhook
from sources.mapping.errors import NotRecognised
from sources.reviews import WITHDRAW

log = logging.getLogger(__name__)
_LONGEST_KEPT = 256 * 1024  # bytes of a message in its dead letter: encrypted too it must fit the broker's limit
_WAIT_SECONDS = 20.0
_UNFIT = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD)


class NotAccepted(ValueError):
    """A message that is not its source's, or not fresh."""


class Busy(RuntimeError):
    """Messages before this one are still on their way to the broker."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The result of a message."""

    records: int
    bad: int
    repeated: bool


class Receiver:
    """The webhook of one source. `secrets` are all that count at present: during a change the old and the new one.

    Raises ValueError for a source whose mapping has no webhook.
    """

    def __init__(
        self,
        mapping: SourceMapping,
        publisher: FilePublisher,
        secrets: Sequence[bytes],
        now: Callable[[], float],
        window_seconds: float,
    ) -> None:
        self._mapping, self._webhook = for_webhook(mapping)
        self._publisher, self._secrets = publisher, tuple(secrets)
        self._now, self._window_seconds = now, window_seconds
        self._one_at_a_time = threading.Lock()

    def accept(self, headers: Mapping[str, str], body: bytes) -> Accepted:
        """Check a message and publish its content; return when the broker has it. Raises NotAccepted, Busy.

        `headers` by their names in small letters. A message that was accepted before is not published again. A message
        with unreadable or unpublishable content is a dead letter, so only the absence of broker or vault is an error:
        KafkaException, Unreachable, PeopleError, AnotherTakes.
        """
        signed = self._signed(headers, body)
        self._check_signature(headers.get(self._webhook.header.lower(), ""), signed)
        taken = self._taken(signed, body)
        if not self._one_at_a_time.acquire(timeout=_WAIT_SECONDS):
            raise Busy("messages before it are still on their way")
        try:
            if self._publisher.remembers(taken.sha256):
                return Accepted(0, 0, repeated=True)
            taken = self._published(taken, body)
        finally:
            self._one_at_a_time.release()
        return Accepted(len(taken.records) + len(taken.reviews), len(taken.bad), repeated=False)

    def _published(self, taken: Taken, body: bytes) -> Taken:
        """The publications of a message: all records, or one dead letter if its content does not fit its topics."""
        try:
            self._publisher.publish(taken, "receive")
        except (Unreachable, PeopleError, AnotherTakes):
            raise
        except Exception as error:
            if isinstance(error, KafkaException) and error.args[0].code() not in _UNFIT:
                raise
            log.exception("a signed message cannot be published as it is")
            taken = self._dead(taken.sha256, body, f"{type(error).__name__}: {error}")
            self._publisher.publish(taken, "receive")
        return taken

    def _signed(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """The bytes a signature is of: with a timestamp that is not too far from now, where there is one."""
        if self._webhook.timestamp is None:
            return body
        stamp = headers.get(self._webhook.timestamp.lower(), "")
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
            raise NotAccepted("no timestamp")
        if abs(self._now() - int(stamp)) > self._window_seconds:
            raise NotAccepted("not of now")
        return stamp.encode() + b"." + body

    def _check_signature(self, given: str, signed: bytes) -> None:
        if not given.startswith(self._webhook.prefix):
            raise NotAccepted("no signature")
        digest = given.removeprefix(self._webhook.prefix).strip().lower().encode()
        wanted = [hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in self._secrets]
        if not any([hmac.compare_digest(digest, each) for each in wanted]):  # noqa: C419 - all are compared, always
            raise NotAccepted("signed with an unknown secret")

    def _taken(self, signed: bytes, body: bytes) -> Taken:
        """The rows of a message; one without known content is a bad row as a whole, so that it is not lost."""
        sha256 = hashlib.sha256(signed).hexdigest()
        try:
            if self._is_deletion(body):
                return self._deleted(sha256, body)
            taken = take(self._mapping, _name(sha256), body)
        except NotRecognised as refusal:
            return self._dead(sha256, body, str(refusal))
        except Exception as error:
            log.exception("a signed message cannot be read")
            return self._dead(sha256, body, f"{type(error).__name__}: {error}")
        if not taken.read:
            return self._dead(sha256, body, "the message holds no record")
        taken.sha256 = sha256
        return taken

    def _is_deletion(self, body: bytes) -> bool:
        """Whether a message tells that its records were deleted."""
        if not self._webhook.deleted:
            return False
        try:
            found: object = json.loads(body)
        except ValueError:  # `take` says what is wrong with it
            return False
        for step in self._webhook.event:
            found = found.get(step) if isinstance(found, dict) else None
        return isinstance(found, str) and found in self._webhook.deleted

    def _deleted(self, sha256: str, body: bytes) -> Taken:
        """The withdrawal of each record in a message; its other values are not read. Raises NotRecognised."""
        rows, found = 0, list[dict[str, object]]()
        for entity, layout, row in id_rows(self._mapping, body):
            own = next((str(row[name]) for name in layout.columns.get("id", ()) if row.get(name) not in (None, "")), "")
            rows += 1
            if own:
                said: dict[str, object] = {"message": "its source says that it was deleted", "replaces": []}
                found.append({"entity": entity, "record_id": own, "verdict": WITHDRAW, **said})
        if not rows or len(found) < rows:
            return self._dead(sha256, body, "the message of a deletion lacks the id of what was deleted")
        return Taken(_name(sha256), sha256, self._mapping.system, (), read=rows, good=rows, reviews=found)

    def _dead(self, sha256: str, body: bytes, why: str) -> Taken:
        """A message as one bad row; of a long one its beginning, with the digest of the whole."""
        said = why.encode(errors="backslashreplace").decode()[:1000]
        if len(body) > _LONGEST_KEPT:
            digest = hashlib.sha256(body).hexdigest()
            said += f" (the first {_LONGEST_KEPT} of {len(body)} bytes; SHA-256 of all {digest})"
        bad = BadRow(1, body[:_LONGEST_KEPT], said)
        return Taken(_name(sha256), sha256, self._mapping.system, (), read=1, bad=[bad])


def id_rows(mapping: SourceMapping, body: bytes) -> Iterator[tuple[str, Layout, Mapping[str, object]]]:
    """(entity, layout, values) of every record in a message. Raises NotRecognised."""
    refusals = list[str]()
    for entity in mapping.entities.values():
        if entity.file is None:
            continue
        try:
            table = read_table(body, entity.file)
        except UnreadableFile as unreadable:
            refusals.append(f"{entity.name}: {unreadable}")
            continue
        yield from ((entity.name, entity.file, row.values if isinstance(row, Row) else {}) for row in table.rows)
        return
    raise NotRecognised(f"{mapping.system} does not know this message. {'; '.join(refusals)}", 0)


def _name(sha256: str) -> str:
    return f"webhook-{sha256[:12]}"


def for_webhook(mapping: SourceMapping) -> tuple[SourceMapping, Webhook]:
    """The mapping with its files read where the webhook has its records, and how that is signed."""
    entities, found = {}, list[Webhook]()
    for entity in mapping.entities.values():
        if entity.webhook is not None and entity.file is not None:
            found.append(entity.webhook)
            entities[entity.name] = replace(entity, file=replace(entity.file, records=entity.webhook.records))
        else:
            entities[entity.name] = replace(entity, file=None)
    if not found:
        raise ValueError(f"{mapping.system} has no webhook: add `webhook` to an entity of its mapping")
    if len({(each.header, each.prefix, each.timestamp) for each in found}) > 1:
        raise ValueError(f"the webhooks of {mapping.system} are signed in several ways; let them be signed in one")
    return replace(mapping, entities=entities), found[0]
