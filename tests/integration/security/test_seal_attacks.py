"""Attacks on what is sealed, each with its verdict: docs/attacks.md lists them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import assert_never

import psycopg
import pytest
from psycopg import sql

from assurance.hash_chain import SEALS
from devstack.postgres import with_database
from devstack.stack import Stack
from settings import Settings
from streaming.batch import Record
from tests.integration.security.attacks_on_chains import CHAIN, KEYLESS, TOPIC_ATTACKS, WITH_KEY
from tests.integration.security.attacks_on_rows import ROWS, TABLES
from tests.integration.security.attacks_on_sealer import CONTINUED, REFUSED, as_before_heads
from tests.integration.security.seal_attack import Attack
from tests.integration.security.sealed_scene import DECISIONS, GOLDEN, KEY, Scene, build, rewrite

Built = tuple[Mapping[str, Sequence[Record]], str]


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers of this module: its attackers own them."""
    with Stack.start(Settings.load(home=tmp_path_factory.mktemp("attacked"))) as running:
        yield running


class Stage:
    """The sealed stream, put up again before every test, and built anew where another key is wanted."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self._key: bytes | None = None
        self._built: Built = ({}, "")
        self._dirty: set[str] = set()
        self._number = 0

    def set(self, key: bytes) -> Scene:
        """The scene as it was sealed."""
        if key != self._key:
            self._built, self._key = build(self._stack, self._folder, key), key
            self._dirty = set()
        stored, printed = self._built
        for topic in sorted(self._dirty):
            rewrite(self._stack.broker, topic, stored[topic])
        self._number += 1
        name = f"attacked_{self._number}"
        with psycopg.connect(self._stack.postgres_url, autocommit=True) as connection:
            names = (sql.Identifier(name), sql.Identifier(GOLDEN))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        (self._folder / "heads").write_text(printed)
        (self._folder / "heads").chmod(0o600)
        scene = Scene(self._stack.broker, with_database(self._stack.postgres_url, name), self._folder, stored, key)
        scene.printed, scene.dirty = printed, set()
        self._dirty = scene.dirty
        return scene


@pytest.fixture(scope="module")
def stage(own_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The stream that is attacked."""
    return Stage(own_stack, tmp_path_factory.mktemp("stage"))


def _holds(scene: Scene, attack: Attack) -> None:
    """Carry an attack out and hold it to its verdict."""
    attack.do(scene)
    told = scene.verify(key=attack.key)
    match attack.verdict:
        case "found":
            assert told.exit_code == 1, told.output
            assert re.search(attack.says, told.output), told.output
        case "found by kept heads":
            assert told.exit_code == 0, told.output
            held = scene.verify(key=attack.key, printed=True)
            assert held.exit_code == 1, held.output
            assert re.search(attack.says, held.output), held.output
        case "harmless":
            assert told.exit_code == 0, told.output
            assert re.search(attack.says, told.output), told.output
        case _:
            assert_never(attack.verdict)
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception


@pytest.mark.attack
@pytest.mark.parametrize("name", ROWS)
def test_row(stage: Stage, name: str) -> None:
    _holds(stage.set(KEY), ROWS[name])


@pytest.mark.attack
@pytest.mark.parametrize("name", TABLES)
def test_table(stage: Stage, name: str) -> None:
    _holds(stage.set(KEY), TABLES[name])


@pytest.mark.attack
@pytest.mark.parametrize("name", TOPIC_ATTACKS)
def test_topic(stage: Stage, name: str) -> None:
    _holds(stage.set(KEY), TOPIC_ATTACKS[name])


@pytest.mark.attack
@pytest.mark.parametrize("name", CHAIN)
def test_chain(stage: Stage, name: str) -> None:
    _holds(stage.set(KEY), CHAIN[name])


@pytest.mark.attack
@pytest.mark.parametrize("name", WITH_KEY)
def test_with_the_key(stage: Stage, name: str) -> None:
    _holds(stage.set(KEY), WITH_KEY[name])


@pytest.mark.attack
@pytest.mark.parametrize("name", KEYLESS)
def test_without_any_key(stage: Stage, name: str) -> None:
    scene = stage.set(b"")
    first = scene.verify(key=None).output.splitlines()[0]
    assert first.startswith("WITHOUT THE KEY this cannot prove that nothing was altered")
    _holds(scene, KEYLESS[name])


@pytest.mark.attack
@pytest.mark.parametrize("name", REFUSED)
def test_sealer_refuses(stage: Stage, name: str) -> None:
    scene, attack = stage.set(KEY), REFUSED[name]
    attack.do(scene)
    sealed = scene.run("seal", key=attack.key)
    assert sealed.exit_code == 1, sealed.output
    assert re.search(attack.says, sealed.output), sealed.output
    if attack.key != KEY:  # and nothing was spoiled
        assert scene.verify().exit_code == 0
        assert scene.run("seal").exit_code == 0


@pytest.mark.attack
@pytest.mark.parametrize("name", CONTINUED)
def test_sealer_continues(stage: Stage, name: str) -> None:
    scene = stage.set(KEY)
    CONTINUED[name].do(scene)
    _add_an_act(scene)
    sealed = scene.run("seal")
    assert sealed.exit_code == 0, sealed.output
    told = scene.verify()
    assert told.exit_code == 0, told.output
    scene.sql("UPDATE hourstream.acts SET reason = 'other' WHERE name = 'zoe'")
    assert re.search(r"acts\[0\]@\d+ was altered", scene.verify().output)
    assert scene.verify(printed=True).exit_code == 1


def _add_an_act(scene: Scene) -> None:
    scene.dirty.add(SEALS)
    scene.sql(
        "INSERT INTO hourstream.acts (name, via, act, subject, reason) VALUES ('zoe', 'console', 'map', 'x', 'agreed')"
    )


def test_a_person_with_the_key_can_continue_chains_and_it_is_noted(stage: Stage) -> None:
    scene = stage.set(KEY)
    scene.rewrite(SEALS, ())
    assert scene.run("seal").exit_code == 1
    adopted = scene.run("seal", "--adopt", "the broker was lost")
    assert adopted.exit_code == 0, adopted.output
    told = scene.verify()
    assert told.exit_code == 0, told.output
    assert re.search(r"note: noted when chains were continued as they were: .*: the broker was lost", told.output)
    assert scene.verify(printed=True).exit_code == 1


def test_the_heads_are_printed_as_they_are_kept(stage: Stage) -> None:
    scene = stage.set(KEY)
    printed = scene.run("seal", "--head")
    assert (printed.exit_code, printed.output) == (0, scene.printed)
    assert scene.verify(printed=True).exit_code == 0
    without = scene.run("seal", "--head", key=None)
    assert (without.exit_code, "no heads are kept that this key has signed" in without.output) == (1, True)
    scene.printed = scene.printed.replace("records 9", "records 8")
    held = scene.verify(printed=True)
    assert held.exit_code == 1
    assert "the heads that were given were altered" in held.output


@pytest.mark.parametrize("keys", [(KEY, KEY, KEY), (b"", b"", b""), (KEY, b"", KEY)])
def test_chains_of_the_version_before_heads_are_continued(stage: Stage, keys: tuple[bytes, ...]) -> None:
    key = keys[0]
    scene = stage.set(KEY)
    as_before_heads(scene, keys)
    before = scene.verify(key=key or None)
    assert before.exit_code == 0, before.output
    assert "no heads are kept yet" in before.output
    assert (keys[1] == key) is ("seals made without the key" not in before.output)
    sealed = scene.run("seal", key=key or None)
    assert sealed.exit_code == 0, sealed.output
    after = scene.verify(key=key or None)
    assert after.exit_code == 0, after.output
    assert "no heads are kept yet" not in after.output


def test_a_last_run_without_the_key_spoils_no_chain_of_before(stage: Stage) -> None:
    scene = stage.set(KEY)
    as_before_heads(scene, (KEY, KEY, b""))
    assert re.search(r"the seal of 2 to 3 was made without the key: seal again with it", scene.verify().output)
    assert scene.run("seal").exit_code == 0
    told = scene.verify()
    assert told.exit_code == 0, told.output


def test_an_altered_record_of_before_is_not_sealed_again(stage: Stage) -> None:
    scene = stage.set(KEY)
    as_before_heads(scene)
    scene.rewrite(DECISIONS, [*scene.stored[DECISIONS][:2], scene.stored[DECISIONS][0]])
    assert scene.run("seal").exit_code == 0
    told = scene.verify()
    assert told.exit_code == 1
    assert re.search(r"decisions\[0\]@2 was altered", told.output)


@pytest.mark.parametrize("key", [b"other", b""])
def test_chains_of_before_are_not_continued_with_another_key(stage: Stage, key: bytes) -> None:
    scene = stage.set(KEY)
    as_before_heads(scene)
    sealed = scene.run("seal", key=key or None)
    assert sealed.exit_code == 1
    assert "were made with another key, or without one" in sealed.output
