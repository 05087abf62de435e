"""Attacks on what is sealed, each with its verdict: docs/attacks.md lists them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import assert_never

import psycopg
import pytest
from psycopg import sql

from devstack.postgres import with_database
from devstack.stack import Stack
from settings import Settings
from streaming.batch import Record
from tests.integration.security.attacks_on_chains import CHAIN, KEYLESS, TOPIC_ATTACKS, WITH_KEY
from tests.integration.security.attacks_on_rows import ROWS, TABLES
from tests.integration.security.seal_attack import Attack
from tests.integration.security.sealed_scene import GOLDEN, KEY, Scene, build, rewrite

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
