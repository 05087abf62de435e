"""`hourstream people`: lists persons with personal data and erases them: keys destroyed, totals unchanged."""

import getpass
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from cli.context import attached, console, print_json
from common.ciphertext import is_token
from console.access.audit import record as note
from console.access.user import ROLES, User
from privacy.errors import PeopleError
from privacy.locate_person import files_naming, in_clear, tokens_of, with_other_names
from privacy.open_vault import vault_of
from privacy.vault import PersonEntry, Vault
from settings import Settings
from sources.similarity import suggestions
from storage.migrations import migrate
from storage.postgres import Pool, open_pool, transaction

_ALIKE = 90.0  # of 100: similar enough for a person to check


@click.group()
def people() -> None:
    """Personal data: list, show, erase, and change the key that all keys are wrapped by."""


@contextmanager
def _vault() -> Iterator[tuple[str, Pool, Vault]]:
    """(broker, pool, vault). Raises PeopleError where there is no vault."""
    settings = Settings.load()
    if settings.people_key_file is None:
        raise PeopleError(
            "HOURSTREAM_PEOPLE_KEY_FILE is not set, so personal data is published in clear and nothing of it can be "
            "erased: docs/security.md says how to begin"
        )
    with attached(settings) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        vault = vault_of(settings, pool)
        assert vault is not None  # noqa: S101 - its key is set
        yield stack.broker, pool, vault


@people.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(as_json: bool) -> None:
    """List the persons with encrypted data, by token; erasures with time, person and reason."""
    with _vault() as (_, _, vault):
        _tell(vault.entries(), as_json)


@people.command()
@click.argument("who", metavar="CONSULTANT_ID|TOKEN")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(who: str, as_json: bool) -> None:
    """Show the tokens of a consultant's data: of our own records, and of the records of other systems."""
    with _vault() as (broker, _, vault):
        _tell(_entries(vault, _tokens(broker, vault, who)), as_json)


@people.command()
@click.argument("who", metavar="CONSULTANT_ID|TOKEN")
@click.option("--reason", required=True, help="Why, without a name; kept for good.")
@click.option("--by", default=getpass.getuser, show_default="you", help="Person who erases.")
def erase(who: str, reason: str, by: str) -> None:
    """Destroy the keys of a consultant's personal data, for good: names and notes can no longer be read.

    Hours, charges, invoices and their totals stay, under ids. TOKEN erases only the data of that token.
    """
    with _vault() as (broker, pool, vault):
        tokens = _tokens(broker, vault, who)
        tokens += files_naming(broker, vault, tokens, who)
        before = _entries(vault, tokens)
        others = _perhaps_theirs(vault, before)
        clear = [] if is_token(who) else in_clear(broker, who)
        destroyed = set(vault.erase(tokens, by, reason))
        with transaction(pool) as cursor:
            note(cursor, User(by, frozenset(ROLES), sees_rates=True, via="command line"), "erase", who, reason)
    for entry in before:
        if entry.token in destroyed:
            console.print(f"destroyed: the key of {_said(entry)}", soft_wrap=True)
    if not destroyed:
        console.print(f"nothing of {who} can be read any more: it was erased before", soft_wrap=True)
    for topic in clear:
        console.print(
            f"in clear for good: {topic} has a name of {who} that was published without the key", soft_wrap=True
        )
    for entry in others:
        console.print(
            f"perhaps the same person: {entry.name}, {_said(entry)}; `hourstream people erase {entry.token}` erases it",
            soft_wrap=True,
        )


@people.command()
@click.argument("new_key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def rotate(new_key_file: Path) -> None:
    """Wrap every key with the key of NEW_KEY_FILE instead; then HOURSTREAM_PEOPLE_KEY_FILE must name that file.

    No record changes. Destroy the former file; copies of the database can then no longer be decrypted.
    """
    with _vault() as (_, _, vault):
        count = vault.rotate(new_key_file.absolute())
    console.print(f"{count:,} keys are wrapped by the key of {new_key_file} now: set HOURSTREAM_PEOPLE_KEY_FILE to it")


def _tokens(broker: str, vault: Vault, who: str) -> list[str]:
    found = with_other_names(broker, vault, [who]) if is_token(who) else tokens_of(broker, vault, who)
    if not found or (is_token(who) and not vault.opened(found)):
        raise PeopleError(f"nothing is kept of {who}: see `hourstream people list`")
    return found


def _entries(vault: Vault, tokens: Iterable[str]) -> list[PersonEntry]:
    return [entry for entry, _ in vault.opened(list(tokens)).values()]


def _perhaps_theirs(vault: Vault, erased: list[PersonEntry]) -> list[PersonEntry]:
    """Other persons with nearly the same name, for example of a system whose code for them is not mapped."""
    known = {entry.token for entry in erased}
    left = {e.token: e for e in vault.entries() if e.name and e.kind == "person" and e.token not in known}
    labels = {token: [entry.name or ""] for token, entry in left.items()}
    found = (each for entry in erased if entry.name for each in suggestions(entry.name, labels))
    return [left[token] for token in dict.fromkeys(each.canonical_id for each in found if each.score >= _ALIKE)]


def _said(entry: PersonEntry) -> str:
    what = "a file whose bad rows name them, of " if entry.kind == "file" else ""
    return f"{entry.token} ({what}{entry.system or 'our own records'})"


def _tell(entries: list[PersonEntry], as_json: bool) -> None:
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    table = Table("token", "of", "kind", "name", "since", "erased", "by", "reason")
    for each in entries:
        erased = "" if each.erased_at is None else f"{each.erased_at:%Y-%m-%d %H:%M}"
        cells = (each.system or "our own records", each.kind, each.name or "", f"{each.made_at:%Y-%m-%d %H:%M}")
        table.add_row(each.token, *cells, erased, each.erased_by or "", each.reason or "")
    console.print(table)
