"""Finds all tokens of a consultant: of our own records, and of the records of other systems."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from common.ciphertext import is_token, tokens_in
from privacy.decrypt import Reading
from privacy.vault import Person, Vault
from schemas.persons import persons_of, system_of, topics_of_other_identities, topics_of_persons
from sources.mapping.code_map import CODE_MAP
from sources.mapping.personal_data import CONSULTANT
from streaming.topic_reader import read_all, read_valid

CONSULTANTS, DEAD_LETTERS = "master.consultants", "dead.letters"
_WORD = re.compile(r"\w+")


def tokens_of(broker: str, vault: Vault, consultant_id: str) -> list[str]:
    """Their tokens, the one of our own records first; none for an id that nothing is known of."""
    own = vault.token(Person("", "person", consultant_id))
    names, codes = _names(broker, consultant_id), _codes(broker, consultant_id)
    if not (names or codes) and own not in vault.opened([own]):
        return []
    found = {token for name in names for token in tokens_in(name)} | {code for code in codes if is_token(code)}
    return with_other_names(broker, vault, [own, *sorted(found - {own})])


def files_naming(broker: str, vault: Vault, tokens: Collection[str], consultant_id: str) -> list[str]:
    """The keys of files with rows that hold all words of the person's name: bad rows, as a rule."""
    look = Reading(vault)
    names = {look.shown(name) for name in _names(broker, consultant_id)}
    names |= {entry.name or "" for entry, _ in vault.opened(tokens).values() if entry.system}
    wanted = [words for name in names if len(words := set(_WORD.findall(name.casefold()))) > 1 or "@" in name]
    files = {entry.token for entry in vault.entries() if entry.kind == "file" and entry.name is not None}
    found: dict[str, None] = {}
    for record in read_all(broker, (DEAD_LETTERS, *topics_of_persons())) if files and wanted else ():
        for content in (record.value, *(value for _, value in record.headers)):
            text = (content or b"").decode(errors="replace")
            theirs = files.intersection(tokens_in(text))
            if theirs and any(words <= set(_WORD.findall(look.shown(text).casefold())) for words in wanted):
                found |= dict.fromkeys(theirs)
    return list(found)


def in_clear(broker: str, consultant_id: str) -> list[str]:
    """The topics with the person's name in clear: records published without the key stay."""
    found = {CONSULTANTS: _names(broker, consultant_id), CODE_MAP: _codes(broker, consultant_id)}
    return [topic for topic, texts in found.items() if any(not tokens_in(text) for text in texts)]


def with_other_names(broker: str, vault: Vault, tokens: Iterable[str]) -> list[str]:
    """The tokens, and those of what else the same systems call their persons."""
    found = dict.fromkeys(tokens)
    for topic, _, value in _read(broker, *topics_of_other_identities()):
        persons, system = persons_of(topic), system_of(topic)
        if persons is None:
            continue
        person, other = persons.identity(value), persons.other_identity(value)
        if person is None or other is None:
            continue
        if vault.token(Person(system, "person", person)) in found:
            found.setdefault(vault.token(Person(system, "person", other)))
    return list(found)


def _names(broker: str, consultant_id: str) -> set[str]:
    """The person's names in the master record, in any revision."""
    return {v["name"] for _, _, v in _read(broker, CONSULTANTS) if v["consultant_id"] == consultant_id}


def _codes(broker: str, consultant_id: str) -> set[str]:
    """The codes of persons that are mapped to this id now."""
    last: dict[bytes | None, tuple[int, str, str]] = {}
    for _, key, value in _read(broker, CODE_MAP):
        if value["kind"] == CONSULTANT:
            said = (value["revision"], value["canonical_id"], value["code"])
            last[key] = max(last.get(key, said), said)
    return {code for _, canonical_id, code in last.values() if canonical_id == consultant_id}


def _read(broker: str, *topics: str) -> Iterator[tuple[str, bytes | None, dict[str, Any]]]:
    """(topic, key, value) of every readable record; the others are dead letters."""
    for record, value in read_valid(broker, topics):
        yield record.topic, record.key, value
