"""Every byte a stack has kept, to be searched for what must not be there: topics, files, workers' state, tables."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from rocksdict import AccessType, Options, Rdict

from streaming.admin import admin_client
from streaming.topic_reader import read_all


def holding(words: Iterable[str], home: Path, broker: str, postgres_url: str, scratch: Path) -> set[tuple[str, str]]:
    """(where, word) of each of the words that something of a running stack holds in clear."""
    wanted = {word: word.encode() for word in words}
    return {
        (where, word)
        for where, content in everything(home, broker, postgres_url, scratch)
        for word, searched in wanted.items()
        if searched in content
    }


def everything(home: Path, broker: str, postgres_url: str, scratch: Path) -> Iterator[tuple[str, bytes]]:
    """(where, content) of all of it; what is compressed on the disk also as it reads."""
    yield from _topics(broker)
    yield from _files(home)
    yield from _state(home, scratch)
    yield from _tables(postgres_url)


def _topics(broker: str) -> Iterator[tuple[str, bytes]]:
    names = [name for name in admin_client(broker).list_topics(timeout=30).topics if not name.startswith("__")]
    for record in read_all(broker, names):
        yield f"{record.topic} key", record.key or b""
        yield f"{record.topic} value", record.value or b""
        for name, content in record.headers:
            yield f"{record.topic} header {name}", content or b""


def _files(home: Path) -> Iterator[tuple[str, bytes]]:
    for path in home.rglob("*"):
        try:
            if path.is_file():
                yield str(path.relative_to(home)), path.read_bytes().rstrip(b"\0")  # indexes are mostly that
        except FileNotFoundError:
            continue  # a log segment or state file that its server has just removed


def _state(home: Path, scratch: Path) -> Iterator[tuple[str, bytes]]:
    """Rows of the workers' stores, which compress their files; of copies, since the stores are in use."""
    stores = {path.parent for path in (home / "state").rglob("CURRENT")}
    assert stores, "no worker has kept anything"
    for number, store in enumerate(sorted(stores)):
        copy = scratch / f"store-{number}"
        shutil.copytree(store, copy, ignore=shutil.ignore_patterns("LOCK"))
        rows = Rdict(str(copy), Options(raw_mode=True), access_type=AccessType.read_only())
        for key, value in rows.items():
            yield f"state {store.relative_to(home)}", bytes(key) + b"\n" + bytes(value)
        rows.close()
        shutil.rmtree(copy)


def _tables(postgres_url: str) -> Iterator[tuple[str, bytes]]:
    """What a dump has: every table's rows as text, bytes as hex and also as they are."""
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert tables
        for name in tables:
            table = sql.Identifier(*name)
            with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(table)) as rows:
                yield ".".join(name), b"".join(bytes(part) for part in rows)
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(table)):
                yield ".".join(name), b"\n".join(cell for cell in row if isinstance(cell, bytes))
