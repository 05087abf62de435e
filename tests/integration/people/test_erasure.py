"""A person erased from a whole running stream: who they were can be read by nobody, and every total stays as it was."""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from people.reading import ERASED, Reading
from people.sealing import Sealing
from people.vault import Vault
from runtime.cli.main import main
from runtime.cli.publishing import Publisher
from runtime.embedded.stack import Stack
from runtime.reading import read_all
from runtime.settings import CHECKOUT, Settings
from schemas.codec import decode_for
from sinks.database import open_pool
from tests.integration.people.searching import holding
from tests.integration.stream.running import Running, running
from tests.unit.tables.contents import MASTERS, consultant, entry, line
from tests.unit.tables.stream import Line
from topics.catalogue import TOPICS

SOURCE = "source.harvest.entries"
SAMPLES = CHECKOUT / "sources" / "harvest" / "samples"
ADA, GRACE = "Ada Lovelace", "Grace Hopper"
# Of time-de.csv, and of time-broken.csv: what rows say whose person can be told, and whose cannot.
OF_ADA = ("Lovelace", "Warenkorb", "Fehler in der Suche", "Logo concepts", "hours that are none")
OF_GRACE = ("Hopper", "Kasse, zwei Wege", "ein Gutschein")
OF_NOBODY = ("a comma, too many", "a quote that never ends")
IN_CLEAR = (*OF_ADA, *OF_GRACE, *OF_NOBODY, "said to nobody else", "Lady of")
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


def publish_ours(stream: Running, vault: Vault) -> None:
    publisher = Publisher(stream.broker, Sealing(vault))
    for each in OURS:
        publisher.publish(each["topic"], each["key"], each["value"])
    publisher.finish()


def totals(stream: Running) -> tuple[object, object, object]:
    """The ledger, the charges, and what `hourstream verify` holds them to."""
    books = stream.books()
    done(stream.hourstream("audit"))
    heads = json.loads(done(stream.hourstream("verify", "--json")))
    assert heads["faults"] == []
    return books.ledger(), books.charges, [each["head"] for each in heads["partitions"]]


def subjects_of(stream: Running, vault: Vault, *notes: str) -> list[str]:
    """The subjects that rows with these notes became."""
    look = Reading(vault)
    rows = [decode_for(SOURCE, record.value or b"") for record in read_all(stream.broker, [SOURCE])]
    named = {look.shown(str(row["notes"])): row["id"] for row in rows}
    return [f"time:harvest-{named[note]}" for note in notes]


def on_the_command_line(hourstream: Callable[..., Result], subjects: list[str]) -> str:
    """What somebody with the key can read."""
    asked = (("people", "list"), ("people", "show", "C-17"), ("exceptions", "codes"))
    return "\n".join(hourstream(*each).output for each in (*asked, *(("trace", each) for each in subjects)))


def read_again(broker: str, vault: Vault) -> str:
    """Everything on the topics, opened by whoever has the key and the database."""
    look, found = Reading(vault), list[str]()
    for record in read_all(broker, [*TOPICS]):
        parts = [record.key, record.value, *(content for _, content in record.headers)]
        found += (look.shown((part or b"").decode("utf-8", "replace")) for part in parts)
    return "\n".join(found)


def map_codes(stream: Running) -> None:
    """What Harvest calls engagements and tasks."""
    codes = {
        ("engagement", CLIENT): "E1",
        ("engagement", "Intern / Verwaltung"): "E2",
        ("engagement", "Globex / Brand Identity"): "E2",
        ("task", f"{CLIENT} / Entwicklung"): "E1-T1",
        ("task", f"{CLIENT} / Meeting"): "E1-T1",
        ("task", "Intern / Verwaltung / Urlaubsplanung"): "E2-T1",
        ("task", "Globex / Brand Identity / Design"): "E2-T1",
    }
    for (kind, code), means in codes.items():
        value = {"system": "harvest", "kind": kind, "code": code, "canonical_id": means}
        stream.publish(line(("master.code-map", value)))


def test_a_person_is_erased_and_every_total_stays(
    tmp_path: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home, kept = tmp_path / "home", tmp_path / "kept.tar.gz"
    scratch = tmp_path_factory.mktemp("scratch")

    def left(stream: Running) -> set[tuple[str, str]]:
        return holding(IN_CLEAR, home, stream.broker, stream.settings.database_url, scratch)

    with stream_of(home, folder) as (stream, vault):
        stream.publish(*(stream.next_revision(content) for content in MASTERS))
        map_codes(stream)
        publish_ours(stream, vault)
        for name in ("time-de.csv", "time-broken.csv"):
            done(stream.hourstream("ingest", str(SAMPLES / name), "--source", "harvest"))
        stream.rest()
        codes = json.loads(done(stream.hourstream("exceptions", "codes", "--json")))
        asked = {each["code"]: each["suggestions"][0]["canonical_id"] for each in codes}
        assert asked == {f"harvest:consultant:{ADA}": "C-17", f"harvest:consultant:{GRACE}": "C-18"}
        done(stream.hourstream("exceptions", "map", "harvest", "consultant", "ada  LOVELACE", "C-17", *WHY))
        done(stream.hourstream("exceptions", "map", "harvest", "consultant", GRACE, "--accept", *WHY))
        stream.rest()
        done(stream.hourstream("seal"))
        before = totals(stream)
        assert left(stream) == set()
        subjects = subjects_of(stream, vault, "Warenkorb", "Kasse, zwei Wege\r\nund ein Gutschein")
        shown = on_the_command_line(stream.hourstream, subjects)
        assert [word for word in (ADA, GRACE, "Warenkorb", "ein Gutschein") if word not in shown] == []
        opened = read_again(stream.broker, vault)
        assert [word for word in IN_CLEAR if word not in opened] == []

    done(alone(home, folder, "backup", str(kept)))
    with stream_of(home, folder, "erp", "billing") as (stream, vault):
        told = done(stream.hourstream("people", "erase", "C-17", *WHY))
        assert told.count("destroyed: the key of") == 2
        assert "(harvest)" in told
        assert "it was erased before" in done(stream.hourstream("people", "erase", "C-17", *WHY))
        done(stream.hourstream("ingest", str(SAMPLES / "time-de.csv"), "--source", "harvest", "--again"))
        stream.rest()
        assert totals(stream) == before
        assert json.loads(done(stream.hourstream("exceptions", "codes", "--json"))) == []
        assert left(stream) == set()
        shown = on_the_command_line(stream.hourstream, subjects)
        assert [word for word in OF_ADA if word in shown] == []
        assert [word for word in (GRACE, "ein Gutschein", ERASED) if word not in shown] == []
        opened = read_again(stream.broker, vault)
        assert [word for word in OF_ADA if word in opened] == []
        assert [word for word in (*OF_GRACE, *OF_NOBODY) if word not in opened] == []

    shutil.rmtree(home)
    done(alone(home, folder, "restore", str(kept)))
    with (
        Stack.start(Settings.load(home=home, people_key_file=folder / "key")) as stack,
        open_pool(stack.postgres_url) as pool,
    ):
        with pool.connection() as connection:
            had = connection.execute("SELECT count(*) FROM hourstream.people WHERE erased_at IS NOT NULL").fetchone()
        assert had == (0,)
        opened = read_again(stack.broker, Vault.open(pool, folder / "key", folder / "people.erased"))
        assert [word for word in OF_ADA if word in opened] == []
        assert [word for word in (*OF_GRACE, *OF_NOBODY) if word not in opened] == []
