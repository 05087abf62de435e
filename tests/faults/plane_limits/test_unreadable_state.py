"""Local state that cannot be read is moved aside and restored from the changelog; all else is said and kept."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rocksdict import Rdict

from streaming.local_state import StoreFailed, StoreUnreadable, failure, state_folder
from streaming.process import instance_id
from streaming.store import REACHED, Store, _options, position_key
from tests.faults.faust_holes.subjects import END, Subject
from tests.faults.plane_limits.conftest import Make
from tests.faults.plane_limits.test_changelog import App, rows_of

ROWS = {b"row-%05d" % number: b"v" + os.urandom(199) for number in range(5000)}  # no row begins as a part does
Damage = Callable[[Path], object]


def _tables(path: Path) -> list[Path]:
    return sorted(path.glob("*.sst"))


def _flip(path: Path) -> None:
    for file in _tables(path):
        content = bytearray(file.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 2000] = os.urandom(2000)
        file.write_bytes(content)


def _overwrite(key: bytes, value: bytes) -> Damage:
    def overwrite(path: Path) -> None:
        db = Rdict(str(path), _options())
        db.put(key, value)
        db.close()

    return overwrite


def _folder_for_lock(path: Path) -> None:
    (path / "LOCK").unlink()
    (path / "LOCK").mkdir()


def _file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(b"not a folder")


def _folder_of_files(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()
    (path / "CURRENT").write_text("another format\n")


DAMAGES: dict[str, Damage] = {
    "a torn table": lambda path: os.truncate(_tables(path)[0], 1000),
    "a missing table": lambda path: _tables(path)[0].unlink(),
    "flipped bytes": _flip,
    "a torn manifest": lambda path: os.truncate(next(path.glob("MANIFEST*")), 40),
    "garbage for CURRENT": lambda path: (path / "CURRENT").write_bytes(os.urandom(30)),
    "no CURRENT": lambda path: (path / "CURRENT").unlink(),
    "a folder for LOCK": _folder_for_lock,
    "a file in its place": _file,
    "another format": _folder_of_files,
    "no number for the changelog's offset": _overwrite(REACHED, b"\xff\xfe"),
}


@pytest.fixture
def app(forgetful: str) -> App:
    return App(forgetful)


def _written(app: App, home: Path) -> Path:
    """The store's folder of a partition that has committed the rows, closed."""
    committer = app.open(home)
    app.commit(committer, dict(ROWS))
    committer.store._db.flush()
    committer.close()
    return home / f"{app.changelog}-0"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_replaced_by_what_the_changelog_holds(
    app: App, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = _written(app, tmp_path)
    DAMAGES[damage](path)
    committer, rows, damage_found = app.open(tmp_path), {}, ""
    try:
        rows = rows_of(committer)
    except StoreUnreadable as error:
        damage_found = str(error)
    if damage_found:  # only by reading on: then the process ends (see `crash`), and its next start restores
        committer.close()
        committer.replace_state(StoreUnreadable(damage_found))
        committer = app.open(tmp_path)
        rows = rows_of(committer)
    assert rows == ROWS
    assert committer.positions == {app.source: 1}
    committer.close()
    if damage != "no CURRENT":  # RocksDB may take it for a new one
        (aside,) = tmp_path.glob("*.unreadable-*")
        assert f"moved it to {aside}" in caplog.text


def test_an_unreadable_position_is_restored(app: App, tmp_path: Path) -> None:
    path = _written(app, tmp_path)
    _overwrite(position_key(app.source), b"garbage")(path)
    committer = app.open(tmp_path)
    assert committer.positions == {app.source: 1}
    committer.close()


def test_a_store_that_another_one_holds_is_left_alone(app: App, tmp_path: Path) -> None:
    path = _written(app, tmp_path)
    held = Store(path)
    with pytest.raises(StoreFailed, match="another process works on") as raised:
        app.open(tmp_path)
    assert not isinstance(raised.value, StoreUnreadable)
    assert not list(tmp_path.glob("*.unreadable-*"))
    held.close()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("IO error: While open a file for appending: /x/LOG: Permission denied", "must be able to read and write"),
        ("IO error: While mkdir: /x: Read-only file system", "must be able to read and write"),
        ("IO error: No space left on device: While appending to file: /x/9.log", "cannot be used"),
        ("IO error: While open a file for random read: /x/9.sst: Too many open files", "cannot be used"),
    ],
)
def test_what_is_no_damage_is_said_and_nothing_is_moved(said: str, expected: str, tmp_path: Path) -> None:
    found = failure(Exception(said), tmp_path)
    assert not isinstance(found, StoreUnreadable)
    assert expected in str(found)
    assert str(tmp_path) in str(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may become another user")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(StoreFailed, match="user 65534 must be able to read and write"):
            state_folder(tmp_path / "locked" / "settle")
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"no id\n"])
def test_an_unreadable_member_id_is_replaced(content: bytes, tmp_path: Path) -> None:
    first = instance_id(tmp_path)
    (tmp_path / "instance").write_bytes(content)
    second = instance_id(tmp_path)
    assert second not in ("", first)
    assert instance_id(tmp_path) == second


def test_a_file_in_place_of_a_state_folder_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "settle").write_text("-")
    assert instance_id(tmp_path / "settle")
    assert (tmp_path / "settle").is_dir()


def test_only_the_latest_damage_is_kept(app: App, tmp_path: Path) -> None:
    path = _written(app, tmp_path)
    for _ in range(2):
        os.truncate(next(path.glob("MANIFEST*")), 40)
        app.open(tmp_path).close()
    assert len(list(tmp_path.glob("*.unreadable-*"))) == 1


def test_a_running_worker_whose_store_breaks_restores_it_and_goes_on(worker: Make) -> None:
    app: Subject = worker("torn")
    app.topics()
    app.publish(b"0", b"1")
    app.start()
    app.wait(lambda: len(app.outputs()) == 2, "it did not begin")
    app.kill()
    (path,) = (app.home / "state").glob("*-0")
    for file in path.glob("MANIFEST*"):
        os.truncate(file, 40)
    app.start()
    assert app.finish() == [b"0", b"1", END]
    assert not app.endings
    assert "is restored from" in app.log()
