"""Encrypts records before publication, one record or a file's rows, with the key of the person each is about.

The schemas name the fields and the person (`schemas.persons`). A value that this vault encrypted stays as it is, but
only if it is the whole text: a text that merely contains or imitates one is encrypted like any other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from common.ciphertext import encrypted_value, erased_text, is_token, sealed_text
from privacy.keys import PersonKey
from privacy.vault import Person, Vault
from schemas.persons import PersonFields, persons_of, system_of, systems
from sources.files.parse import BadRow, SourceRow, Taken
from sources.mapping.code_map import CODE_MAP, key_of
from sources.mapping.personal_data import CONSULTANT

T = TypeVar("T")


class Encryption:
    """Encrypts the records of one command: it remembers keys, so use a new one for each command."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._keys: dict[Person, tuple[str, PersonKey | None]] = {}
        self._known: dict[str, PersonKey | None] = {}  # by token, of values that came encrypted

    def record(self, topic: str, key: str, value: object) -> tuple[str, object]:
        """Key and value (JSON form) of a record as they are to be published. A value that is no record stays."""
        if not isinstance(value, dict):
            return key, value
        if topic == CODE_MAP:
            return self._mapping(key, value)
        persons = persons_of(topic)
        if persons is None or not any(value.get(name) for name in persons.erasable):
            return key, value
        person = _person(topic, value) or Person(system_of(topic), "file", topic)
        return key, self._fields(persons, person, value)

    def code(self, system: str, kind: str, code: str) -> str:
        """A code as it is on the code map: a person's code is the token."""
        if kind != CONSULTANT or system not in systems() or is_token(code):
            return code
        return self._vault.token(Person(system, "person", code))

    def line(self, file: str, content: bytes) -> str:
        """The content of a line whose person is unknown, encrypted with a key of the file."""
        return self._text(Person("", "file", file), content)

    def file(self, taken: Taken, had_files: bool) -> Taken:
        """A file with its records, its bad rows and their reasons encrypted; unchanged if its source has no persons.

        Ids made of a row's values are replaced, because a person who guesses the values could compute them as well.
        This is not done if the source `had_files` before there was a vault, because its rows may come again.
        """
        if taken.system not in systems():
            return taken
        of_file = Person(taken.system, "file", taken.sha256)
        whose = [_person(row.topic, row.record) or of_file for row in taken.records]
        whose_bad = [_person(row.topic, row.said) or of_file for row in taken.bad]
        self._meet((*whose, *whose_bad))
        new_ids = self._vault.makes_ids_of(taken.system, had_files)
        records = [self._row(row, person, new_ids) for row, person in zip(taken.records, whose, strict=True)]
        bad = [self._bad(row, person) for row, person in zip(taken.bad, whose_bad, strict=True)]
        return replace(taken, records=records, bad=bad)

    def _mapping(self, key: str, value: dict[str, object]) -> tuple[str, object]:
        system, kind, code = (value.get(name) for name in ("system", "kind", "code"))
        if not (isinstance(system, str) and isinstance(kind, str) and isinstance(code, str)):
            return key, value
        sealed = self.code(system, kind, code)
        return (key, value) if sealed == code else (key_of(system, kind, sealed), {**value, "code": sealed})

    def _row(self, row: SourceRow, person: Person, new_ids: bool) -> SourceRow:
        persons = persons_of(row.topic)
        if persons is None:
            return row
        record = self._fields(persons, person, row.record)
        raw = self._text(person, row.raw).encode()
        if not (row.made_id and new_ids):
            return replace(row, record=record, raw=raw)
        own = self._vault.row_id(row.id)
        return replace(row, id=own, record={**record, "id": own}, raw=raw)

    def _bad(self, row: BadRow, person: Person) -> BadRow:
        return replace(row, raw=self._text(person, row.raw).encode(), why=self._text(person, row.why.encode()))

    def _fields(self, persons: PersonFields, person: Person, value: Mapping[str, T]) -> dict[str, T | str]:
        return {name: self._value(person, said) if name in persons.erasable else said for name, said in value.items()}

    def _value(self, person: Person, said: T) -> T | str:
        if not isinstance(said, str) or said == "" or self._is_ours(said):
            return said
        # JSON may hold a lone surrogate, which UTF-8 has not; who decrypts it sees that it cannot be read.
        return self._text(person, said.encode(errors="surrogatepass"))

    def _is_ours(self, text: str) -> bool:
        """Whether the whole text is one value that this vault encrypted, or one that stands for an erased one."""
        value = encrypted_value(text)
        if value is None:
            return False
        token, content = value
        if content is None:
            return True
        if token not in self._known:
            self._known |= {token: None} | {name: key for name, (_, key) in self._vault.opened([token]).items()}
        key = self._known[token]
        return key is not None and key.open(content) is not None

    def _text(self, person: Person, content: bytes) -> str:
        if person not in self._keys:
            self._meet([person])
        token, key = self._keys[person]
        return erased_text(token) if key is None else sealed_text(token, key.seal(content))

    def _meet(self, people: Iterable[Person]) -> None:
        found = self._vault.keys(set(people) - self._keys.keys())
        self._keys |= {person: (self._vault.token(person), key) for person, key in found.items()}


def _person(topic: str, said: Mapping[str, object]) -> Person | None:
    persons = persons_of(topic)
    identity = None if persons is None else persons.identity(said)
    return None if identity is None else Person(system_of(topic), "person", identity)


def sealing(vault: Vault | None) -> Encryption | None:
    """The encryption of a command's records; None if personal data is published in clear."""
    return None if vault is None else Encryption(vault)
