"""Decisions of console users, from pages and API alike: written to the audit, then published.

Both happen in one transaction of the given cursor: a record that Kafka refuses is not in the audit.
"""

from dataclasses import dataclass

from confluent_kafka import KafkaException
from fastapi import HTTPException

from common.ciphertext import is_token
from common.errors import InvalidRecord
from console.access.audit import record
from console.access.user import User
from operations import decisions
from privacy.encrypt import Encryption
from privacy.open_vault import has_vault
from privacy.vault import Vault
from sources.mapping.personal_data import CONSULTANT
from warehouse.queries.exceptions import exceptions_of
from warehouse.queries.sql import Asking

MOST = 1_000  # decided at once


@dataclass(frozen=True, slots=True)
class DecisionCounts:
    """The numbers of published decisions, of exceptions resolved meanwhile, and of unknown ids."""

    decided: int
    resolved: int
    unknown: int


def decide_selected(
    cursor: Asking,
    broker: str,
    user: User,
    decision: decisions.Decision,
    ids: list[str],
    why: decisions.Why,
    request: str = "",
) -> DecisionCounts:
    """Waive or retry exceptions; exceptions that were resolved meanwhile are left alone.

    Raises 422 for an exception that takes no decision, and 503 if Kafka does not answer.
    """
    found = exceptions_of(cursor, ids)
    for one in found:
        if (refused := decisions.refusal(one.subject)) is not None:
            raise HTTPException(422, f"This is not decided here: {refused}.")
    standing = [
        decisions.Subject(str(each.engagement_id), str(each.subject), each.revision)
        for each in found
        if each.status != "resolved"
    ]
    for each in standing:
        record(cursor, user, decision, f"{each.engagement_id}/{each.subject}", why.reason)
    try:
        decided = decisions.publish_decisions(broker, decision, standing, why, request)
    except InvalidRecord as error:
        raise HTTPException(422, f"This cannot be decided: {error}") from error
    except KafkaException as error:
        raise _unpublished(error) from error
    return DecisionCounts(decided, len(found) - decided, len(set(ids)) - len(found))


def map_code(
    cursor: Asking,
    broker: str,
    vault: Vault | None,
    user: User,
    names: tuple[str, str, str],
    canonical_id: str,
    why: decisions.Why,
) -> decisions.CodeMapped:
    """Map a code (system, kind, code) to our id; with a vault, a person's name is audited as the token.

    Raises 422 if it cannot be mapped, 503 if Kafka does not answer.
    """
    system, kind, code = names
    for what, text in (("the system", system), ("the kind", kind), ("the code", code), ("the id", canonical_id)):
        _hold_to_bounds(what, text)
    sealing = None if vault is None else Encryption(vault)
    if sealing is not None:
        code = sealing.code(system, kind, code)
    elif kind == CONSULTANT and not is_token(code) and has_vault(cursor):
        raise HTTPException(422, "Names are sealed here, and this console has no key: map the code where there is one.")
    record(cursor, user, "map", f"{system}:{kind}:{code} -> {canonical_id}", why.reason)
    try:
        return decisions.map_code(broker, system, kind, code, canonical_id.strip(), why, sealing)
    except InvalidRecord as error:
        raise HTTPException(422, f"This cannot be mapped: {error}") from error
    except KafkaException as error:
        raise _unpublished(error) from error


def why(user: User, reason: str, source: str) -> decisions.Why:
    """Person and reason of a decision. Raises 422 without a reason, or if no record may hold it (DOMAIN §1.10)."""
    if not reason.strip():
        raise HTTPException(422, "Say why: the reason is kept for good.")
    _hold_to_bounds("the reason", reason)
    return decisions.Why(user.name, reason.strip(), source)


def _hold_to_bounds(what: str, text: str) -> None:
    """Raises the 422 of a text that neither a record nor the audit may hold (DOMAIN §1.10)."""
    try:
        decisions.check_text(what, text)
    except InvalidRecord as error:
        raise HTTPException(422, f"This cannot be kept: {error}") from error


def _unpublished(error: KafkaException) -> HTTPException:
    return HTTPException(503, f"Kafka did not take it: {error.args[0]}. Nothing was decided; try again.")
