"""A person erased from a whole running stream: who they were can be read by nobody, and every total stays as it was."""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from people.reading import ERASED
from people.sealing import Sealing
from people.vault import Vault
from runtime.cli.main import main
from runtime.cli.publishing import Publisher
from runtime.reading import read_all
from runtime.settings import CHECKOUT
from schemas.codec import decode_for
from schemas.sealed import is_token
from tests.integration.people.searching import holding
from tests.integration.stream.running import Running, running
from tests.unit.tables.contents import MASTERS, consultant, entry, line
from tests.unit.tables.stream import Line

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
def stream_of(home: Path, folder: Path) -> Iterator[Running]:
    with running(home, sources="harvest", people_key_file=folder / "key") as stream:
        yield stream


def done(told: Result) -> str:
    assert told.exit_code == 0, told.output
    return told.output


def publish_ours(stream: Running, folder: Path) -> None:
    vault = Vault.open(stream.pool, folder / "key", folder / "people.erased")
    publisher = Publisher(stream.broker, Sealing(vault))
    for each in OURS:
        publisher.publish(each["topic"], each["key"], each["value"])
    publisher.finish()
    stream.rest()


def totals(stream: Running) -> tuple[object, object, object]:
    """The ledger, the charges, and what `hourstream verify` holds them to."""
    books = stream.books()
    assert done(stream.hourstream("audit")).count("true") >= 5
    heads = json.loads(done(stream.hourstream("verify", "--json")))
    assert heads["faults"] == []
    return books.ledger(), books.charges, [each["head"] for each in heads["partitions"]]


def readable(stream: Running) -> str:
    """What somebody with the key can read on the command line."""
    subjects = {
        str(one["subject"]) for one in stream.books().ledger() if str(one["subject"]).startswith("time:harvest-")
    }
    assert len(subjects) == 7
    traces = [stream.hourstream("trace", each).output for each in sorted(subjects)]
    rest = (("people", "list"), ("people", "show", "C-17"), ("exceptions", "codes"), ("exceptions", "list", "--each"))
    return "\n".join((*traces, *(stream.hourstream(*each).output for each in rest)))


def map_codes(stream: Running) -> None:
    """Say what Harvest's names mean; a task of a name for each of the two that are used."""
    for kind, code, means in (
        ("engagement", CLIENT, "E1"),
        ("engagement", "Intern / Verwaltung", "E2"),
        ("engagement", "Globex / Brand Identity", "E2"),
        ("task", f"{CLIENT} / Entwicklung", "E1-T1"),
        ("task", f"{CLIENT} / Meeting", "E1-T1"),
        ("task", "Intern / Verwaltung / Urlaubsplanung", "E2-T1"),
        ("task", "Globex / Brand Identity / Design", "E2-T1"),
    ):
        done(stream.hourstream("exceptions", "map", "harvest", kind, code, means, "--reason", "a test"))
    stream.rest()


def test_a_person_is_erased_and_every_total_stays(
    tmp_path: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home, kept = tmp_path / "home", tmp_path / "kept.tar.gz"
    scratch = tmp_path_factory.mktemp("scratch")

    def left(stream: Running) -> set[tuple[str, str]]:
        return holding(IN_CLEAR, home, stream.broker, stream.settings.database_url, scratch)

    with stream_of(home, folder) as stream:
        stream.takes(*(stream.next_revision(content) for content in MASTERS))
        publish_ours(stream, folder)
        for name in ("time-de.csv", "time-broken.csv"):
            done(stream.hourstream("ingest", str(SAMPLES / name), "--source", "harvest"))
        stream.rest()
        map_codes(stream)
        codes = json.loads(done(stream.hourstream("exceptions", "codes", "--json")))
        asked = {each["code"]: each["suggestions"][0]["canonical_id"] for each in codes}
        assert asked == {f"harvest:consultant:{ADA}": "C-17", f"harvest:consultant:{GRACE}": "C-18"}
        done(stream.hourstream("exceptions", "map", "harvest", "consultant", "ada  LOVELACE", "C-17", *WHY))
        done(stream.hourstream("exceptions", "map", "harvest", "consultant", GRACE, "--accept", *WHY))
        stream.rest()
        mapped = [decode_for("master.code-map", r.value or b"") for r in read_all(stream.broker, ["master.code-map"])]
        assert all(is_token(each["code"]) for each in mapped if each["kind"] == "consultant")
        done(stream.hourstream("seal"))
        before = totals(stream)
        assert left(stream) == set()
        shown = readable(stream)
        assert [word for word in (*OF_ADA[:4], *OF_GRACE) if word not in shown] == []

    done(CliRunner().invoke(main, ["backup", str(kept)], env={"HOURSTREAM_HOME": str(home)}))
    with stream_of(home, folder) as stream:
        told = done(stream.hourstream("people", "erase", "C-17", *WHY))
        assert told.count("destroyed: the key of") == 2
        assert "harvest" in told
        again = done(stream.hourstream("people", "erase", "C-17", *WHY))
        assert "it was erased before" in again
        stream.rest()
        assert totals(stream) == before
        shown = readable(stream)
        assert [word for word in OF_ADA if word in shown] == []
        assert [word for word in OF_GRACE if word not in shown] == []
        assert ERASED in shown

        done(stream.hourstream("ingest", str(SAMPLES / "time-de.csv"), "--source", "harvest", "--again"))
        stream.rest()
        assert totals(stream) == before
        assert json.loads(done(stream.hourstream("exceptions", "codes", "--json"))) == []
        assert left(stream) == set()
        entries = [decode_for("time.entries", r.value or b"") for r in read_all(stream.broker, ["time.entries"])]
        assert len({(each["entry_id"], each["revision"]) for each in entries}) == len(entries)

    shutil.rmtree(home)
    done(CliRunner().invoke(main, ["restore", str(kept)], env={"HOURSTREAM_HOME": str(home)}))
    with stream_of(home, folder) as stream:
        stream.rest()
        entry_of_ada = json.loads(done(stream.hourstream("people", "show", "C-17", "--json")))
        assert {(each["name"], each["erased_by"]) for each in entry_of_ada} == {(None, "the office")}
        shown = readable(stream)
        assert [word for word in OF_ADA if word in shown] == []
        assert [word for word in OF_GRACE if word not in shown] == []
        assert totals(stream)[:2] == before[:2]

