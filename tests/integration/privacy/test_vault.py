"""The vault on a real PostgreSQL: one key a person, wrong files told, erasures for good, keys wrapped anew."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg import sql

from common.ciphertext import is_token, sealed_text, tokens_in
from privacy import erasures
from privacy.decrypt import ERASED, UNREADABLE, Reading
from privacy.encrypt import Encryption
from privacy.errors import PeopleError
from privacy.open_vault import erased_file_of, publishing_vault, vault_of
from privacy.vault import Person, Vault
from settings import Settings
from sources.files.parse import Taken, take
from sources.mapping import catalogue
from storage.postgres import Pool
from tests.integration.privacy.conftest import Safe, key_in

ADA, GRACE = Person("harvest", "person", "Ada Lovelace"), Person("harvest", "person", "Grace Hopper")
SAMPLES = Path(catalogue.__file__).parents[1] / "harvest" / "samples"


def sealed(vault: Vault, person: Person, text: str) -> str:
    key = vault.keys([person])[person]
    assert key is not None
    return sealed_text(vault.token(person), key.seal(text.encode()))


def test_a_value_is_the_same_text_in_every_process_and_opens_in_each(safe: Safe) -> None:
    one, other = safe.open(), safe.open()
    said = sealed(one, ADA, "Kasse")
    assert sealed(other, ADA, "Kasse") == said
    assert Reading(other).shown(f"note: {said} of {one.token(ADA)}") == "note: Kasse of Ada Lovelace"
    assert "Ada" not in said + one.token(ADA)


def test_two_at_once_make_one_key(safe: Safe) -> None:
    vault = safe.open()
    people = [Person("harvest", "person", f"number {n}") for n in range(50)]
    with ThreadPoolExecutor(8) as threads:
        found = [each.result() for each in [threads.submit(vault.keys, people[:: (-1) ** n]) for n in range(8)]]
    texts = {tuple(key.seal(b"x") for key in map(keys.__getitem__, people) if key is not None) for keys in found}
    assert [len(each) for each in texts] == [50]


def test_another_key_is_told_and_changes_nothing(safe: Safe, tmp_path: Path) -> None:
    said = sealed(safe.open(), ADA, "Kasse")
    for wrong, why in ((key_in(tmp_path / "other"), "is not the key of this database's personal data"),):
        with pytest.raises(PeopleError, match=why):
            Vault.open(safe.pool, wrong, safe.list_file)
    (tmp_path / "short").write_text("too short")
    (tmp_path / "short").chmod(0o600)
    with pytest.raises(PeopleError, match="holds no key of personal data"):
        Vault.open(safe.pool, tmp_path / "short", safe.list_file)
    with pytest.raises(PeopleError, match="cannot be read"):
        Vault.open(safe.pool, tmp_path / "nothing", safe.list_file)
    assert Reading(safe.open()).shown(said) == "Kasse"


def test_who_is_erased_stays_erased_and_is_the_same_each_time(safe: Safe) -> None:
    vault = safe.open()
    said, of_grace = sealed(vault, ADA, "Kasse"), sealed(vault, GRACE, "Suche")
    token = vault.token(ADA)
    assert vault.erase([token], "the office", "asked for") == [token]
    assert vault.erase([token], "the office", "asked for") == []
    for each in (vault, safe.open()):
        assert each.keys([ADA]) == {ADA: None}
        assert Reading(each).shown(f"{said} {token}, {of_grace}") == f"{ERASED} {ERASED}, Suche"
        value = {"id": "1", "first_name": "Ada", "last_name": "Lovelace", "notes": "new words"}
        _, record = Encryption(each).record("source.harvest.entries", "1", value)
        assert record == {"id": "1", **dict.fromkeys(("first_name", "last_name", "notes"), f"erased:{token}")}
    (entry,) = [entry for entry in vault.entries() if entry.token == token]
    assert (entry.name, entry.erased_by, entry.reason) == (None, "the office", "asked for")
    assert [(each.token, each.by) for each in erasures.listed(safe.list_file)] == [(token, "the office")]


def test_who_is_erased_before_anything_came_never_gets_a_key(safe: Safe) -> None:
    vault = safe.open()
    vault.erase([vault.token(ADA)], "the office", "asked for")
    assert safe.open().keys([ADA]) == {ADA: None}


def test_a_database_of_before_does_not_bring_a_key_back(safe: Safe) -> None:
    vault = safe.open()
    said, token = sealed(vault, ADA, "Kasse"), vault.token(ADA)
    with safe.pool.connection() as connection:
        kept = connection.execute("SELECT * FROM hourstream.people").fetchall()
    vault.erase([token], "the office", "asked for")
    with safe.pool.connection() as connection:
        connection.execute("DELETE FROM hourstream.people")
        values = sql.SQL(", ").join(sql.Placeholder() * len(kept[0]))
        connection.cursor().executemany(sql.SQL("INSERT INTO hourstream.people VALUES ({})").format(values), kept)
    assert Reading(vault).shown(said) == "Kasse"
    assert Reading(safe.open()).shown(said) == ERASED


def test_nothing_is_erased_that_cannot_be_put_on_the_list(safe: Safe, tmp_path: Path) -> None:
    vault = Vault.open(safe.pool, safe.key_file, tmp_path / "no such folder" / "list")
    said = sealed(vault, ADA, "Kasse")
    with pytest.raises(PeopleError, match=r"cannot be written .* so nothing was erased"):
        vault.erase([vault.token(ADA)], "the office", "asked for")
    assert Reading(vault).shown(said) == "Kasse"
    safe.list_file.write_text("no line of ours\n")
    with pytest.raises(PeopleError, match="has a line that is none"):
        safe.open()


def stored(pool: Pool) -> bytes:
    """The bytes of the table's own file."""
    with pool.connection() as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT pg_read_binary_file(pg_relation_filepath('hourstream.people'))").fetchone()
    assert row is not None
    return bytes(row[0])


def test_the_table_s_file_holds_no_destroyed_key_and_no_former_wrapping(safe: Safe, tmp_path: Path) -> None:
    vault = safe.open()
    sealed(vault, ADA, "Kasse")
    said = sealed(vault, GRACE, "Suche")
    with safe.pool.connection() as connection:
        wrapped: dict[str, bytes] = dict(connection.execute("SELECT token, key FROM hourstream.people").fetchall())
    assert all(key in stored(safe.pool) for key in wrapped.values())
    vault.erase([vault.token(ADA)], "the office", "asked for")
    assert [key in stored(safe.pool) for key in (wrapped[vault.token(ADA)], wrapped[vault.token(GRACE)])] == [
        False,
        True,
    ]
    assert vault.rotate(key_in(tmp_path / "next")) == 1
    assert wrapped[vault.token(GRACE)] not in stored(safe.pool)
    assert Reading(vault).shown(said) == "Suche"
    with pytest.raises(PeopleError, match="is not the key"):
        safe.open()
    later = Vault.open(safe.pool, tmp_path / "next", safe.list_file)
    assert (Reading(later).shown(said), later.token(GRACE)) == ("Suche", vault.token(GRACE))


def test_a_process_with_the_former_key_makes_no_more_keys(safe: Safe, tmp_path: Path) -> None:
    former = safe.open()
    safe.open().rotate(key_in(tmp_path / "next"))
    with pytest.raises(PeopleError, match="rotated meanwhile"):
        former.keys([ADA])


def test_what_only_looks_sealed_is_no_error(safe: Safe) -> None:
    vault = safe.open()
    sealed(vault, ADA, "Kasse")
    stranger = "person:" + "a" * 26
    text = f"sealed:{vault.token(ADA)}:AAAA sealed:{stranger}:AAAA {stranger}"
    assert Reading(vault).shown(text) == f"{UNREADABLE} {UNREADABLE} {stranger}"


def said_of(taken: Taken) -> list[str]:
    """What rows say, and what is wrong with the bad ones."""
    raw = [*(row.raw for row in taken.records), *(row.raw for row in taken.bad)]
    return [*(content.decode() for content in raw), *(row.why for row in taken.bad)]


def test_a_file_is_sealed_row_by_row_and_the_same_each_time(safe: Safe) -> None:
    data = (SAMPLES / "time-broken.csv").read_bytes()
    one, again = (
        Encryption(safe.open()).file(take(catalogue.load("harvest"), "broken.csv", data), had) for had in (False, True)
    )
    assert one == again
    plain = take(catalogue.load("harvest"), "broken.csv", data)
    assert [row.line for row in one.records] == [row.line for row in plain.records]
    assert {row.id for row in one.records}.isdisjoint(row.id for row in plain.records)
    assert all(row.record["id"] == row.id for row in one.records)
    texts = said_of(one)
    look, vault = Reading(safe.open()), safe.open()
    assert [look.shown(text) for text in texts] == said_of(plain)
    # Four bad rows name their person; of one with a column too many and one of broken quotes nobody can tell.
    whose = [tokens_in(row.why)[0] for row in one.bad]
    assert whose.count(vault.token(ADA)) == 4
    assert vault.token(Person("harvest", "file", one.sha256)) in whose


def test_what_names_nobody_is_sealed_by_a_key_of_its_topic(safe: Safe) -> None:
    sealing, vault = Encryption(safe.open()), safe.open()
    _, record = sealing.record("source.kimai.entries", "1", {"id": "1", "user": "", "description": "whose?"})
    assert isinstance(record, dict)
    assert (record["id"], record["user"]) == ("1", "")
    assert tokens_in(record["description"]) == (vault.token(Person("kimai", "file", "source.kimai.entries")),)
    assert Reading(vault).shown(record["description"]) == "whose?"
    nothing = {"id": "1", "user": "ada", "description": None}
    assert sealing.record("source.control", "1", nothing) == ("1", nothing)
    assert sealing.record("time.entries", "1", "no record") == ("1", "no record")


def test_a_source_without_persons_is_published_as_it_is(safe: Safe) -> None:
    data = (SAMPLES.parents[1] / "gsa" / "samples" / "s70_sample.csv").read_bytes()
    taken = take(catalogue.load("gsa"), "s70_sample.csv", data)
    assert Encryption(safe.open()).file(taken, had_files=False) is taken


def test_rows_of_a_source_that_had_files_before_keep_their_ids(safe: Safe) -> None:
    plain = take(catalogue.load("harvest"), "broken.csv", (SAMPLES / "time-broken.csv").read_bytes())
    for had_files in (True, False):
        sealed_file = Encryption(safe.open()).file(plain, had_files)
        assert [row.id for row in sealed_file.records] == [row.id for row in plain.records]
        assert "Lovelace" not in str(sealed_file.records)


def test_nothing_is_published_in_clear_where_there_is_a_vault(safe: Safe) -> None:
    settings = Settings.load(broker="127.0.0.1:1")
    assert publishing_vault(settings, safe.pool) is None
    safe.open()
    assert vault_of(settings, safe.pool) is None
    with pytest.raises(PeopleError, match="it would be published in clear"):
        publishing_vault(settings, safe.pool)
    with_key = settings.model_copy(update={"people_key_file": safe.key_file})
    assert publishing_vault(with_key, safe.pool) is not None
    assert erased_file_of(with_key, safe.key_file) == safe.key_file.parent / "people.erased"


def test_codes_of_persons_are_mapped_by_token_and_others_by_name(safe: Safe) -> None:
    vault = safe.open()
    sealing = Encryption(vault)
    assert sealing.code("harvest", "consultant", "ADA lovelace ") == vault.token(ADA)
    assert sealing.code("harvest", "consultant", vault.token(ADA)) == vault.token(ADA)
    assert sealing.code("harvest", "engagement", "Ada Lovelace") == "Ada Lovelace"
    assert sealing.code("gsa", "consultant", "Ada Lovelace") == "Ada Lovelace"
    value = {"system": "harvest", "kind": "consultant", "code": "Ada Lovelace", "canonical_id": "C-1"}
    key, record = sealing.record("master.code-map", "harvest:consultant:Ada Lovelace", value)
    assert isinstance(record, dict)
    assert (key, is_token(record["code"])) == (f"harvest:consultant:{vault.token(ADA)}", True)
