"""The vault: one row of PostgreSQL per person with the person's key, wrapped by the key of a file.

Opening it destroys again the keys that a restored backup brought back, by the list of erasures. A token never gets a
second key: an erased person stays erased, and the person's later data is erased on arrival.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.timestamps import instant_text
from privacy import erasures
from privacy.erasures import Erasure
from privacy.errors import PeopleError
from privacy.keys import MasterKey, PersonKey, new_key, row_id, token_of
from storage.postgres import Lock, Pool, scalar, transaction

Kind = Literal["person", "file"]
_NAMING = "naming"


class Person(NamedTuple):
    """The owner of a key: an identity in a system, or a file with rows of unknown persons."""

    system: str
    kind: Kind
    identity: str


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """A row of the vault, opened; `name` and the key are gone where it was erased."""

    token: str
    system: str
    kind: str
    name: str | None
    made_at: datetime
    erased_at: datetime | None
    erased_by: str | None
    reason: str | None


class Vault:
    """An open vault; it holds the file's key and no person's."""

    def __init__(self, pool: Pool, master: MasterKey, naming: bytes, list_file: Path) -> None:
        self._pool, self._master, self._naming, self._list = pool, master, naming, list_file

    @classmethod
    def open(cls, pool: Pool, key_file: Path, list_file: Path) -> "Vault":
        """Open the vault of a database that is migrated; the first time it is made. Raises PeopleError."""
        master = MasterKey.read(key_file)
        with transaction(pool) as cursor:
            row = cursor.execute("SELECT naming, key_id FROM hourstream.people_vault").fetchone()
            if row is None:
                row = _made(cursor, master)
        naming = master.unwrap(_NAMING, row[0])
        if naming is None:
            raise PeopleError(
                f"{key_file} is not the key of this database's personal data: it is key {master.id}, and the data's "
                f"is {row[1]}. Set HOURSTREAM_PEOPLE_KEY_FILE to the file of that one"
            )
        vault = cls(pool, master, naming, list_file)
        vault._erase_again()
        return vault

    def token(self, person: Person) -> str:
        """The token of a person, whether or not the vault has met them."""
        return token_of(self._naming, *person)

    def makes_ids_of(self, system: str, had_files: bool) -> bool:
        """Whether ids made of a source's rows use the vault's secret: not if files came before the vault."""
        with transaction(self._pool) as cursor:
            cursor.execute(
                "INSERT INTO hourstream.people_row_ids VALUES (%s, %s) ON CONFLICT DO NOTHING", (system, not had_files)
            )
            secret = scalar(cursor, "SELECT secret FROM hourstream.people_row_ids WHERE system = %s", (system,))
        return secret is True

    def row_id(self, made: str) -> str:
        """An id of a row that replaces one made of its values; a repeat's number stays behind it."""
        base, dash, repeat = made.partition("-")
        return f"{row_id(self._naming, base)}{dash}{repeat}"

    def keys(self, people: Iterable[Person]) -> dict[Person, PersonKey | None]:
        """The key of each, made where there is none; None of the erased. On the disk when this returns."""
        tokens = {person: self.token(person) for person in people}
        found = self._rows(tokens.values())
        new = {token: person for person, token in tokens.items() if token not in found}
        if new:
            self._make(new)
            found |= self._rows(new)
        return {person: self._key(token, found[token]) for person, token in tokens.items()}

    def entries(self) -> list[PersonEntry]:
        """Every row, the latest last."""
        return [entry for entry, _ in self._opened(None)]

    def opened(
        self, tokens: Collection[str], cursor: Cursor[TupleRow] | None = None
    ) -> dict[str, tuple[PersonEntry, PersonKey | None]]:
        """{token: its row, and the key it still has} of those that are there; asked with `cursor` if one is given."""
        if cursor is not None:
            return {entry.token: (entry, key) for entry, key in self._rows_opened(cursor, list(tokens))}
        return {entry.token: (entry, key) for entry, key in self._opened(list(tokens))}

    def erase(self, tokens: Collection[str], by: str, reason: str) -> list[str]:
        """Destroy the keys and names of these; gives the tokens that had one. Raises PeopleError.

        A token that the vault has not met is noted as erased, so that it never gets a key.
        """
        now = instant_text(datetime.now(UTC))
        before = {erasure.token for erasure in erasures.listed(self._list)}
        erasures.add(self._list, (Erasure(token, now, by, reason) for token in tokens if token not in before))
        return self._erase([Erasure(token, now, by, reason) for token in tokens])

    def rotate(self, new_file: Path) -> int:
        """Wrap every key by the key of another file; gives how many persons have one. Raises PeopleError.

        Whatever has the former wrappings (backups, write-ahead logs) is worth nothing once the former file is gone.
        """
        new = MasterKey.read(new_file)
        with transaction(self._pool) as cursor:
            cursor.execute("LOCK TABLE hourstream.people, hourstream.people_vault IN EXCLUSIVE MODE")
            cursor.execute(
                "UPDATE hourstream.people_vault SET naming = %s, key_id = %s",
                (new.wrap(_NAMING, self._naming), new.id),
            )
            rows = cursor.execute("SELECT token, key FROM hourstream.people WHERE key IS NOT NULL").fetchall()
            wrapped = [(new.wrap(token, self._unwrapped(token, key)), token) for token, key in rows]
            cursor.executemany("UPDATE hourstream.people SET key = %s WHERE token = %s", wrapped)
        self._rewrite()
        self._master = new
        return len(wrapped)

    def _rows(self, tokens: Iterable[str]) -> dict[str, bytes | None]:
        """{token: wrapped key, None for an erased one} of those that are there."""
        with transaction(self._pool) as cursor:
            found = cursor.execute("SELECT token, key FROM hourstream.people WHERE token = ANY(%s)", (list(tokens),))
            return dict(found.fetchall())

    def _make(self, new: Mapping[str, Person]) -> None:
        rows = []
        for token, person in sorted(new.items()):  # in one order, so that two who make the same do not wait crosswise
            key = new_key()
            name = PersonKey(token, key).seal(person.identity.encode())
            rows.append((token, person.system, person.kind, self._master.wrap(token, key), name))
        with _unrotated(self._pool, self._master) as cursor:
            cursor.executemany(
                "INSERT INTO hourstream.people (token, system, kind, key, name) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (token) DO NOTHING",
                rows,
            )

    def _key(self, token: str, wrapped: bytes | None) -> PersonKey | None:
        return None if wrapped is None else PersonKey(token, self._unwrapped(token, wrapped))

    def _unwrapped(self, token: str, wrapped: bytes) -> bytes:
        key = self._master.unwrap(token, wrapped)
        if key is None:
            raise PeopleError(f"the key of {token} is not wrapped by key {self._master.id}: it was rotated, or altered")
        return key

    def _opened(self, tokens: list[str] | None) -> Iterator[tuple[PersonEntry, PersonKey | None]]:
        with transaction(self._pool) as cursor:
            found = list(self._rows_opened(cursor, tokens))
        yield from found

    def _rows_opened(
        self, cursor: Cursor[TupleRow], tokens: list[str] | None
    ) -> Iterator[tuple[PersonEntry, PersonKey | None]]:
        rows = cursor.execute(
            "SELECT token, system, kind, key, name, made_at, erased_at, erased_by, reason FROM hourstream.people"
            " WHERE %(all)s OR token = ANY(%(tokens)s) ORDER BY made_at, token",
            {"all": tokens is None, "tokens": tokens or []},
        ).fetchall()
        for token, system, kind, wrapped, sealed, *rest in rows:
            key = self._key(token, wrapped)
            name = None if key is None else key.open(sealed)
            yield PersonEntry(token, system, kind, None if name is None else name.decode(errors="replace"), *rest), key

    def _erase_again(self) -> None:
        noted = {each.token: each for each in erasures.listed(self._list)}
        standing = self._rows(noted)
        pending = [each for token, each in noted.items() if standing.get(token, b"") is not None]
        if pending:
            self._erase(pending)

    def _erase(self, noted: Collection[Erasure]) -> list[str]:
        rows = [(each.token, each.at, each.by, each.reason) for each in noted]
        with transaction(self._pool) as cursor:
            had = cursor.execute(
                "SELECT token FROM hourstream.people WHERE key IS NOT NULL AND token = ANY(%s) FOR UPDATE",
                ([each.token for each in noted],),
            ).fetchall()
            cursor.executemany(
                "INSERT INTO hourstream.people (token, system, kind, erased_at, erased_by, reason)"
                " VALUES (%s, '', 'person', %s, %s, %s) ON CONFLICT (token) DO UPDATE SET key = NULL, name = NULL,"
                " erased_at = excluded.erased_at, erased_by = excluded.erased_by, reason = excluded.reason"
                " WHERE hourstream.people.key IS NOT NULL",
                rows,
            )
        if had:
            self._rewrite()
        return [token for (token,) in had]

    def _rewrite(self) -> None:
        """Make PostgreSQL rewrite the table's file: deleted data otherwise stays in it for a while."""
        with self._pool.connection() as connection:
            connection.autocommit = True
            try:
                connection.execute("VACUUM FULL hourstream.people")
            finally:
                connection.autocommit = False


def _made(cursor: Cursor[TupleRow], master: MasterKey) -> TupleRow:
    """The row of a new vault, or of the process that created it first."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.PEOPLE,))
    cursor.execute(
        "INSERT INTO hourstream.people_vault (naming, key_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (master.wrap(_NAMING, new_key()), master.id),
    )
    row = cursor.execute("SELECT naming, key_id FROM hourstream.people_vault").fetchone()
    if row is None:
        raise PeopleError("the vault of personal data could not be made")
    return row


@contextmanager
def _unrotated(pool: Pool, master: MasterKey) -> Iterator[Cursor[TupleRow]]:
    """A transaction during which the vault's key cannot change. Raises PeopleError if it has changed."""
    with transaction(pool) as cursor:
        row = cursor.execute("SELECT key_id FROM hourstream.people_vault FOR SHARE").fetchone()
        if row is None or row[0] != master.id:
            raise PeopleError("the key of personal data was rotated meanwhile: start again with the new file")
        yield cursor
