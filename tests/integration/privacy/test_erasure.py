"""A person erased from a whole running stream: who they were can be read by nobody, and every total stays as it was."""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from devstack.stack import Stack
from operations.jsonl_ingest import Publisher
from privacy.decrypt import ERASED, Reading
from privacy.encrypt import Encryption
from privacy.vault import Person, Vault
from schemas.codec import decode_for
from settings import CHECKOUT, Settings
from storage.postgres import open_pool
from streaming.topic_reader import read_all
from tests.integration.privacy.searching import holding
from tests.integration.stream.running import Running, running
from tests.unit.tables.contents import MASTERS, consultant, entry, line
from tests.unit.tables.stream import Line
from topics.catalogue import TOPICS

SOURCE = "source.harvest.entries"
SAMPLES = CHECKOUT / "sources" / "harvest" / "samples"
ADA, GRACE = "Ada Lovelace", "Grace Hopper"
# What rows and records say, the last of rows that nobody can tell the person of, but that hold Ada's name.
OF_ADA = ("Lovelace", "Warenkorb", "Logo concepts", "hours that are none", "said to nobody else", "Lady of")
OF_GRACE = ("Hopper", "Kasse, zwei Wege", "ein Gutschein")
UNTOLD = ("a comma, too many", "a quote that never ends")
IN_CLEAR = (*OF_ADA, *OF_GRACE, *UNTOLD)
WHY = ("--reason", "asked for by letter", "--by", "the office")
CLIENT = "Müller & Söhne GmbH / Relaunch"


def person(consultant_id: str, name: str, revision: int = 1) -> Line:
    """Our own record of somebody."""
    topic, value = consultant(consultant_id, "Engineer")
    return line((topic, value | {"name": name}), revision)


NOTED = line(entry("E1", "noted", consultant_id="C-17", note="said to nobody else"))
OURS = (person("C-17", "Ada Lovelace, Lady of"), person("C-18", GRACE), NOTED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the key's file and the list of erasures are: apart from the stack's home."""
    made = tmp_path_factory.mktemp("keys")
    (made / "key").write_text(secrets.token_hex(32))
    (made / "key").chmod(0o600)
    return made


@contextmanager
def stream_of(home: Path, folder: Path, *without: str) -> Iterator[tuple[Running, Vault]]:
    """A running stream and its vault."""
    settings = {"sources": "harvest", "people_key_file": folder / "key"}
    with running(home, ("intake", "lifecycle", "metrics", *without), **settings) as stream:
        yield stream, Vault.open(stream.pool, folder / "key", folder / "people.erased")


def alone(home: Path, folder: Path, *arguments: str) -> Result:
    """A command while nothing runs."""
    env = {"HOURSTREAM_HOME": str(home), "HOURSTREAM_PEOPLE_KEY_FILE": str(folder / "key")}
    return CliRunner().invoke(main, arguments, env=env)


def done(told: Result) -> str:
    assert told.exit_code == 0, told.output
    return told.output


def publish(stream: Running, vault: Vault, *lines: Line) -> None:
    """As `hourstream run` does with the key."""
    publisher = Publisher(stream.broker, Encryption(vault))
    for each in lines:
        publisher.publish(each["topic"], each["key"], each["value"])
    publisher.finish()


def subject_of(stream: Running, vault: Vault, note: str) -> str:
    """The subject that the row with this note became."""
    look = Reading(vault)
    rows = [decode_for(SOURCE, record.value or b"") for record in read_all(stream.broker, [SOURCE])]
    return f"time:harvest-{next(row['id'] for row in rows if look.shown(str(row['notes'])) == note)}"


def read_again(broker: str, vault: Vault) -> str:
    """Everything on the topics, opened by whoever has the key and the database."""
    look, found = Reading(vault), list[str]()
    for record in read_all(broker, [*TOPICS]):
        parts = [record.key, record.value, *(content for _, content in record.headers)]
        found += (look.shown((part or b"").decode("utf-8", "replace")) for part in parts)
    return "\n".join(found)


def open_exceptions(broker: str) -> set[str]:
    """The subjects that are parked."""
    records = [decode_for("billing.exceptions", r.value or b"") for r in read_all(broker, ["billing.exceptions"])]
    return {subject for subject, status in {r["subject"]: r["status"] for r in records}.items() if status == "open"}


def codes(vault: Vault) -> Iterator[Line]:
    """What Harvest's codes mean, but for Ada's."""
    of_grace = vault.token(Person("harvest", "person", GRACE))
    known = {
        ("engagement", CLIENT): "E1",
        ("engagement", "Intern / Verwaltung"): "E2",
        ("engagement", "Globex / Brand Identity"): "E2",
        ("task", f"{CLIENT} / Entwicklung"): "E1-T1",
        ("task", f"{CLIENT} / Meeting"): "E1-T1",
        ("task", "Intern / Verwaltung / Urlaubsplanung"): "E2-T1",
        ("task", "Globex / Brand Identity / Design"): "E2-T1",
        ("consultant", of_grace): "C-18",
    }
    for (kind, code), means in known.items():
        value = {"system": "harvest", "kind": kind, "code": code, "canonical_id": means}
        yield line(("master.code-map", value))


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Harvest's samples as one file: six rows of two people, and eight of one, of which six are bad."""
    good, broken = ((SAMPLES / name).read_bytes() for name in ("time-de.csv", "time-broken.csv"))
    file = tmp_path / "export.csv"
    file.write_bytes(good.rstrip() + b"\r\n" + broken.partition(b"\n")[2])
    return file


def test_a_person_is_erased_and_every_total_stays(
    tmp_path: Path, folder: Path, export: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home, kept = tmp_path / "home", tmp_path / "kept.tar.gz"
    scratch = tmp_path_factory.mktemp("scratch")

    def left(stream: Running) -> set[tuple[str, str]]:
        return holding(IN_CLEAR, home, stream.broker, stream.settings.database_url, scratch)

    with stream_of(home, folder) as (stream, vault):
        stream.publish(*(stream.next_revision(content) for content in MASTERS), *codes(vault))
        publish(stream, vault, *OURS)
        told = done(stream.hourstream("ingest", str(export), "--source", "harvest", "--accept-bad-rows"))
        assert "8 records published, 6 rows to dead.letters" in told
        stream.rest()
        asked = json.loads(done(stream.hourstream("exceptions", "codes", "--json")))
        assert [(each["code"], each["suggestions"][0]["canonical_id"]) for each in asked] == [
            (f"harvest:consultant:{ADA}", "C-17")
        ]
        done(stream.hourstream("exceptions", "map", "harvest", "consultant", "ada  LOVELACE", "C-17", *WHY))
        stream.rest()
        done(stream.hourstream("seal"))
        books = stream.books()
        before = books.ledger(), books.charges, open_exceptions(stream.broker)
        assert len(books.charges) == 8  # all but the one that is not approved
        assert left(stream) == set()
        subject = subject_of(stream, vault, "Warenkorb")
        shown = done(stream.hourstream("trace", subject))
        assert [word for word in ("Ada", "Lovelace", "Warenkorb") if word not in shown] == []
        opened = read_again(stream.broker, vault)
        assert [word for word in IN_CLEAR if word not in opened] == []

    done(alone(home, folder, "backup", str(kept)))
    with stream_of(home, folder, "erp", "billing") as (stream, vault):
        told = done(stream.hourstream("people", "erase", "C-17", *WHY))
        assert (told.count("destroyed: the key of"), "(harvest)" in told) == (3, True)
        assert "a file whose bad rows name them" in told
        assert "it was erased before" in done(stream.hourstream("people", "erase", "C-17", *WHY))
        done(stream.hourstream("ingest", str(export), "--source", "harvest", "--again", "--accept-bad-rows"))
        publish(stream, vault, *OURS)
        stream.rest()
        books = stream.books()
        assert (books.ledger(), books.charges, open_exceptions(stream.broker)) == before
        done(stream.hourstream("audit"))
        assert "nothing was altered" in done(stream.hourstream("verify"))
        assert left(stream) == set()
        shown = done(stream.hourstream("trace", subject))
        assert ([word for word in OF_ADA if word in shown], ERASED in shown) == ([], True)
        check_ada_is_erased(stream.broker, vault)

    shutil.rmtree(home)
    done(alone(home, folder, "restore", str(kept)))
    settings = Settings.load(home=home, people_key_file=folder / "key")
    with Stack.start(settings) as stack, open_pool(stack.postgres_url) as pool:
        with pool.connection() as connection:
            had = connection.execute("SELECT count(*) FROM hourstream.people WHERE erased_at IS NOT NULL").fetchone()
        assert had == (0,)
        check_ada_is_erased(stack.broker, Vault.open(pool, folder / "key", folder / "people.erased"))


def check_ada_is_erased(broker: str, vault: Vault) -> None:
    """Nobody reads anything of hers, and everything of the others."""
    opened = read_again(broker, vault)
    assert [word for word in (*OF_ADA, *UNTOLD) if word in opened] == []
    assert [word for word in OF_GRACE if word not in opened] == []
