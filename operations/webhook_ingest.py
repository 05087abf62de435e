"""Messages of webhooks: who signed them, whether they are fresh, and onto their source's topics. No HTTP here."""

import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from operations.file_ingest import FilePublisher
from sources.files.parse import Taken, take
from sources.files.tables import BadRow
from sources.mapping.ast import SourceMapping, Webhook
from sources.mapping.errors import NotRecognised


class NotAccepted(ValueError):
    """A message that is not its source's, or not fresh."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a message."""

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
        """Check a message and publish what it holds; return when the broker has it. Raises NotAccepted.

        `headers` by their names in small letters. A message that was accepted before is not published again.
        """
        signed = self._signed(headers, body)
        self._check_signature(headers.get(self._webhook.header.lower(), ""), signed)
        taken = self._taken(signed, body)
        with self._one_at_a_time:
            if self._publisher.remembers(taken.sha256):
                return Accepted(0, 0, repeated=True)
            self._publisher.publish(taken, "receive")
        return Accepted(len(taken.records), len(taken.bad), repeated=False)

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
            raise NotAccepted("signed by nobody known here")

    def _taken(self, signed: bytes, body: bytes) -> Taken:
        """What a message holds; one that holds nothing known is a bad row whole, so that it is not lost."""
        sha256 = hashlib.sha256(signed).hexdigest()
        name = f"webhook-{sha256[:12]}"
        try:
            taken = take(self._mapping, name, body)
        except NotRecognised as refusal:
            bad = BadRow(1, body, str(refusal))
            taken = Taken(name, sha256, self._mapping.system, (), read=1, bad=[bad])
        taken.sha256 = sha256
        return taken


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
