"""A billing application as a target: charges in its own format, idempotent by key, answers parsed strictly.

`Idempotency-Key` is the charge_id; for a batch it is a UUIDv5 of its charge_ids in their order. An answer that does not
match the mapping (cut off, no JSON, an item missing, no reference) leaves the result unknown: the charges are offered
again.
"""

import json
import time
from collections.abc import Mapping, Sequence
from uuid import uuid5

import orjson

from common.errors import Health
from rating.model.ids import NAMESPACE
from sinks.delivery.secret_ref import NoSecret, Secret
from sinks.delivery.target import DeliveryAnswer, GroupRefused, TargetUnavailable
from sinks.http.client import Calls, Reply, shown, unexpected
from sinks.http.credentials import Credentials, signed
from sinks.http.mapping import HttpMapping, RequestBatch
from sinks.http.request_body import Unwritable, path_text, written
from sources.mapping.ast import Path
from storage.charge_batch import ChargeRecord

_LONGEST_REASON = 500  # characters


def batch_key(charge_ids: Sequence[str]) -> str:
    """The idempotency key of a batch: the same charges in the same order have the same."""
    return str(uuid5(NAMESPACE, json.dumps(list(charge_ids), separators=(",", ":"))))


class HttpTarget:
    """An application at `url`, by its mapping."""

    def __init__(
        self,
        name: str,
        url: str,
        mapped: HttpMapping,
        calls: Calls,
        credentials: Credentials,
        sign: Secret | None = None,
        health: str | None = None,
    ) -> None:
        """`health` is the path of a page that answers 200 while the application is well; None: any answer will do."""
        self._name, self._url, self._mapped, self._calls = name, url.rstrip("/"), mapped, calls
        self._credentials, self._sign, self._health = credentials, sign, health

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    @property
    def largest_group(self) -> int:
        """The size of a batch; 1 without batches."""
        return self._mapped.batch.size if self._mapped.batch else 1

    def group_of(self, charge: ChargeRecord) -> str:
        """The values at the paths of `together`."""
        if self._mapped.batch is None:
            return ""
        return json.dumps([str(_at(charge, path)) for path in self._mapped.batch.together])

    def deliver(self, charges: Sequence[ChargeRecord]) -> Sequence[DeliveryAnswer]:
        """One request, or several where there are more charges than one may carry.

        Raises TargetUnavailable, GroupRefused.
        """
        answers = dict[str, DeliveryAnswer]()
        writable = list[tuple[ChargeRecord, dict[str, object]]]()
        for charge in charges:
            try:
                writable.append((charge, written(self._mapped.fields, charge)))
            except Unwritable as error:
                reason = f"{error}; correct {self._mapped.file} or the charge"
                answers[charge["charge_id"]] = DeliveryAnswer(charge["charge_id"], "refused", reason=reason)
        for at in range(0, len(writable), self.largest_group):
            page = writable[at : at + self.largest_group]
            found = self._batch(self._mapped.batch, page) if self._mapped.batch else [self._single(*page[0])]
            answers.update((answer.charge_id, answer) for answer in found)
        return [answers[charge["charge_id"]] for charge in charges]

    def health(self) -> Health:
        """Whether the application answers; never raises."""
        url = self._url + (self._health or "/")
        try:
            reply = self._calls.send("GET", url, {**self._credentials.headers(), "Accept": "*/*"})
        except (TargetUnavailable, NoSecret) as error:
            return Health(ok=False, detail=str(error))
        if reply.status >= 500 or (self._health is not None and reply.status != 200):
            return Health(ok=False, detail=f"GET {shown(url)}: answered {reply.status}")
        return Health(ok=True, detail=f"{shown(url)} answers")

    def close(self) -> None:
        """Close its connections."""
        self._calls.close()

    def _single(self, charge: ChargeRecord, fields: Mapping[str, object]) -> DeliveryAnswer:
        charge_id, answer = charge["charge_id"], self._mapped.answer
        try:
            path = path_text(self._mapped.path, charge)
        except Unwritable as error:
            return DeliveryAnswer(charge_id, "refused", reason=str(error))
        reply = self._send(path, charge_id, orjson.dumps(fields))
        if reply.status in self._mapped.refused:
            return DeliveryAnswer(charge_id, "refused", reason=self._reason(path, reply))
        if answer.result is None and answer.reference is None:
            return DeliveryAnswer(charge_id, "posted")
        return self._judged(charge_id, self._json(path, reply), path)

    def _batch(
        self, batch: RequestBatch, page: Sequence[tuple[ChargeRecord, dict[str, object]]]
    ) -> list[DeliveryAnswer]:
        ids = [charge["charge_id"] for charge, _ in page]
        path = path_text(self._mapped.path, page[0][0])
        body = orjson.dumps({**batch.around, batch.items: [fields for _, fields in page]})
        reply = self._send(path, _key(batch, ids), body)
        if reply.status in self._mapped.refused:
            reason = self._reason(path, reply)
            if len(ids) > 1:
                raise GroupRefused(reason)
            return [DeliveryAnswer(ids[0], "refused", reason=reason)]
        answer = self._mapped.answer
        items = _at(self._json(path, reply), answer.items)
        by_key = {str(_at(item, answer.key)): item for item in items} if isinstance(items, list) else {}
        if missing := [charge_id for charge_id in ids if charge_id not in by_key]:
            raise self._unclear(path, f"no answer to {len(missing)} of {len(ids)} charges, such as {missing[0]}")
        return [self._judged(charge_id, by_key[charge_id], path) for charge_id in ids]

    def _send(self, path: str, key: str | None, body: bytes) -> Reply:
        """The reply of a status that says posted or refused. Raises TargetUnavailable."""
        method, url = self._mapped.method, self._url + path
        for last in (False, True):
            try:
                headers = {
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                    **self._mapped.headers,
                    **({} if key is None else {"Idempotency-Key": key}),
                    **self._credentials.headers(),
                    **signed(self._sign, body, time.time()),
                }
            except NoSecret as error:
                raise TargetUnavailable(str(error)) from error
            reply = self._calls.send(method, url, headers, body)
            if reply.status != 401 or last or not self._credentials.renew():
                break
        if reply.status not in self._mapped.posted | self._mapped.refused:
            raise unexpected(method, url, reply)
        return reply

    def _judged(self, charge_id: str, item: object, path: str) -> DeliveryAnswer:
        """Parse the JSON about one charge. Raises TargetUnavailable for anything unclear."""
        answer = self._mapped.answer
        if answer.result is not None:
            word = str(_at(item, answer.result))
            if word in answer.refused:
                return DeliveryAnswer(charge_id, "refused", reason=_words(_at(item, answer.reason)) or word)
            if word not in answer.posted:
                raise self._unclear(path, f"{answer.result} is {word!r}, which means neither posted nor refused")
        reference = _at(item, answer.reference) if answer.reference is not None else None
        if answer.reference is not None and (reference in (None, "") or isinstance(reference, dict | list)):
            raise self._unclear(path, f"there is no {answer.reference}")
        return DeliveryAnswer(charge_id, "posted", None if reference is None else str(reference))

    def _reason(self, path: str, reply: Reply) -> str:
        """Why it refused. Raises TargetUnavailable where the answer is not the application's own."""
        if self._mapped.answer.reason is None:
            return reply.body.decode(errors="replace")[:_LONGEST_REASON] or f"status {reply.status}"
        found = _words(_at(self._json(path, reply), self._mapped.answer.reason))
        return found or reply.body.decode(errors="replace")[:_LONGEST_REASON]

    def _json(self, path: str, reply: Reply) -> object:
        try:
            return orjson.loads(reply.body)
        except ValueError:
            raise self._unclear(path, f"{reply.body[:60]!r} is no JSON") from None

    def _unclear(self, path: str, why: str) -> TargetUnavailable:
        what = f"{self._mapped.method} {shown(self._url + path)}"
        return TargetUnavailable(f"{what}: {why}, so the result is unknown; if this stays, correct the mapping")


def _key(batch: RequestBatch, ids: Sequence[str]) -> str | None:
    if not batch.keyed:
        return None
    return ids[0] if len(ids) == 1 else batch_key(ids)


def _at(value: object, path: Path | None) -> object:
    found = value
    for step in path.steps if path is not None else ():
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _words(value: object) -> str:
    said = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return said[:_LONGEST_REASON]
